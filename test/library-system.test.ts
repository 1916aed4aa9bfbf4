// A library with a system of its own behind a self-check: our money and its fee agree, whatever it says, is
// lost, is repeated, or is killed in between.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Desk, openDesk } from '../gateway/desk.ts'
import { openFees } from '../gateway/sip2/fees.ts'
import { ilsLibrary } from '../gateway/sip2/ils.ts'
import { balances } from '../ledger/store/balances.ts'
import { createHttpClient, HttpFaultError } from '../runtime/http-client.ts'
import { createLog } from '../runtime/log.ts'
import { codePage } from '../schemas/sip2/code-page.ts'
import { sip2Defaults, type Sip2Ils, type Sip2Speaks } from '../schemas/sip2/config.ts'
import { lineCutter } from '../schemas/sip2/lines.ts'
import {
  type Message, readMessage, type Said, say, valueOf, writeMessage
} from '../schemas/sip2/message.ts'
import { connectSelfCheck } from '../terminal-sim/self-check/self-check.ts'
import { gatewayProcess } from './support/gateway-process.ts'
import { secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { type Image, recordingDisk } from './support/recording-disk.ts'
import { card, smallCity } from './support/small-city.ts'

t.setTimeout(600_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

const page = codePage('utf-8')
const date = '20260201    100000'
const ann = cardOf(0).serial
const fen = 350

async function opened (t: Test): Promise<Door> {
  const door = await doors.open('2026-02-01T10:00:00+08:00')
  t.teardown(() => door.close())
  const city = smallCity([card(0)])
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city, parties: [...city.parties ?? [],
      { code: 'ILS', kind: 'operator', nameZh: '书院', nameEn: 'Academy', service: 'library' }],
    terminals: [...city.terminals ?? [], { terminal: 'L1', operator: 'ILS' }]
  })
  const topUp = { kind: 'top_up', key: 'top-up-0', card: cardOf(0), amountFen: 10_000, party: 'SHP' }
  await door.ok('gateway', 'POST', '/v1/requests', topUp)
  return door
}

const earned = async (door: Door): Promise<number> =>
  (await balances(door.db, null)).filter(row => row.heading === 'merchant-pending' && row.party === 'ILS')
    .reduce((sum, { creditFen, debitFen }) => sum + Number(creditFen - debitFen), 0)

async function until (what: () => boolean | Promise<boolean>, name: string): Promise<void> {
  const endMs = performance.now() + 60_000
  while (!await what()) {
    if (performance.now() > endMs) throw new Error(`never: ${name}`)
    await delay(20)
  }
}

/* ---- the library's own system ---- */

type System = {
  readonly port: number
  /** What it says of fees: null, nothing at all. */
  accepts: 'Y' | 'N' | null
  /** Transactions it was asked for. */
  readonly asked: string[]
}

async function startSystem (t: Test): Promise<System> {
  const server = createServer(socket => {
    const lines = lineCutter()
    socket.on('error', () => undefined).on('data', bytes => {
      for (const one of lines.push(bytes)) {
        const read = 'line' in one ? readMessage(one.line, page) : null
        const answer = read?.ok === true ? answerTo(read.message) : null
        if (answer === null || read?.ok !== true) continue
        const sequence = read.message.detection?.sequence ?? null
        socket.write(Buffer.concat([writeMessage(answer, page, sequence), Buffer.from('\r')]))
      }
    })
  })
  function answerTo (message: Message): Said | null {
    if (message.code !== '37') return null
    const transaction = valueOf(message, 'BK') ?? ''
    system.asked.push(transaction)
    if (system.accepts === null) return null
    return say('38', { accepted: system.accepts, date },
      [['AO', 'MAIN'], ['AA', ann], ['BK', transaction]])
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { server.close() })
  const system: System = { port: (server.address() as AddressInfo).port, accepts: 'Y', asked: [] }
  return system
}

const paying = (transaction: string, amount = '3.50'): Said => say('37',
  { date, feeType: '04', paymentType: '02', currency: 'CNY' },
  [['BV', amount], ['AO', 'MAIN'], ['AA', ann], ['AC', ''], ['AD', ''], ['BK', transaction]])

const ilsOf = ({ port }: System): Sip2Ils =>
  ({ host: '127.0.0.1', port, answerSeconds: 1, lapseSeconds: 0.3, issuer: cardOf(0).issuer })
const speaks: Sip2Speaks = {
  protocol: 'sip2', library: 'ILS', institution: 'MAIN', name: '书院', login: 'none', terminal: 'L1',
  answerSeconds: 2
}

/* ---- our side of it, in this process ---- */

type Ledger = 'up' | 'away' | 'answer lost'
async function openOurs (
  t: Test, door: Door, system: System,
  { disks = new Map<string, Image>(), client = 'GW1', desk: changed = {} as Partial<Desk>, room = true } = {}
) {
  const http = createHttpClient({
    baseUrl: door.url, headers: { authorization: `Bearer ${client}.${secretOf(client)}` }, random: () => 0.5,
    tries: 1
  })
  const ours = { ledger: 'up' as Ledger }
  const post: typeof http.post = async (path, body, options) => {
    if (ours.ledger === 'away') throw new HttpFaultError(path, 'away')
    const reply = await http.post(path, body, options)
    if (ours.ledger === 'answer lost') throw new HttpFaultError(path, 'the answer was lost')
    return reply
  }
  const text = new PassThrough()
  let lines = ''
  text.on('data', (chunk: Buffer) => { lines += chunk.toString() })
  const log = createLog('ils', { destination: text })
  const diskOf = (name: string) => {
    const image = disks.get(name) ?? new Map()
    disks.set(name, image)
    return recordingDisk(image)
  }
  const shared = { clock: door.clock, nowMs: () => performance.now(), random: () => 0.5, log }
  const desk = await openDesk({
    http: { post }, files: diskOf('desk'), ...shared, settings: { backoffMs: 20, backoffMaxMs: 50 }
  })
  const library = await ilsLibrary({
    ils: ilsOf(system), settings: { ...sip2Defaults, ...speaks, answerSeconds: 1 },
    fees: await openFees(diskOf('fees'), door.clock), clock: door.clock, desk: { ...desk, ...changed }, log,
    hasRoom: () => room
  })
  const stop = async (): Promise<void> => {
    await library.close()
    await desk.close()
    http.close()
  }
  return Object.assign(ours, {
    /** `Y`, `N words`, or what else became of it. */
    pay: async (transaction: string, amount?: string): Promise<string> => {
      const read = readMessage(writeMessage(paying(transaction, amount), page, 1), page)
      if (!read.ok) throw new Error(read.wrong.why)
      const said = await library.answer({ message: read.message, terminal: 'L1', transaction })
      if (typeof said === 'string') return said
      return [said.fixed['accepted' as never], valueOf(said, 'AF') ?? ''].join(' ').trim()
    },
    lines: () => lines,
    returned: () => until(() => desk.view().open === 0, 'all is back'),
    stop
  })
}

t.test('a no gives the money back, and its transaction pays no more', async t => {
  const door = await opened(t)
  const system = await startSystem(t)
  const ours = await openOurs(t, door, system)
  system.accepts = 'N'
  t.equal(await ours.pay('BK-00001'), 'N')
  t.equal(await earned(door), 0)
  system.accepts = 'Y'
  t.equal(await ours.pay('BK-00001'), 'N the money went back', 'a fee is not closed with nothing paid')
  t.strictSame(system.asked, ['BK-00001'])
  t.equal(await ours.pay('BK-00002'), 'Y')
  t.equal(await ours.pay('BK-00002'), 'Y', 'told again')
  t.equal(await ours.pay('BK-00002', '4.50'), 'Y', 'its transaction says what it was')
  t.strictSame(system.asked, ['BK-00001', 'BK-00002'], 'and asked once')
  t.equal(await earned(door), fen)
  t.equal(await ours.pay('BK-00003', '500.00'), 'N insufficient_funds')
  t.strictSame(system.asked, ['BK-00001', 'BK-00002'])
  const [one, other] = await Promise.all([ours.pay('BK-00004'), ours.pay('BK-00004')])
  t.strictSame([one, other, system.asked.length], ['Y', 'Y', 3], 'two at the same moment are one')
  t.equal(await earned(door), 2 * fen)
  await ours.stop()
  const full = await openOurs(t, door, system, { room: false })
  t.equal(await full.pay('BK-00005'), 'away', 'nothing is begun that cannot be kept')
  await full.stop()
})

t.test('the ledger or the library is silent: found out, or taken back', async t => {
  const door = await opened(t)
  const system = await startSystem(t)
  const disks = new Map<string, Image>()
  const ours = await openOurs(t, door, system, { disks })
  system.accepts = null
  t.equal(await ours.pay('BK-00001'), 'unknown')
  await until(() => /fee_open.*BK-00001/.test(ours.lines()), 'somebody is told')
  t.equal(await earned(door), fen, 'the library may have closed it')
  system.accepts = 'Y'
  t.equal(await ours.pay('BK-00001'), 'Y', 'the same message finds out')
  ours.ledger = 'answer lost'
  t.equal(await ours.pay('BK-00002'), 'unknown')
  ours.ledger = 'up'
  t.equal(await ours.pay('BK-00002'), 'Y')
  t.equal(await earned(door), 2 * fen)
  ours.ledger = 'answer lost'
  t.equal(await ours.pay('BK-00003'), 'unknown')
  ours.ledger = 'up'
  await until(async () => await earned(door) === 2 * fen, 'nobody repeats it: it goes back')
  t.equal(await ours.pay('BK-00003'), 'N the money went back')
  ours.ledger = 'away'
  t.equal(await ours.pay('BK-00004'), 'unknown')
  system.accepts = null
  ours.ledger = 'up'
  t.equal(await ours.pay('BK-00005'), 'unknown')
  await ours.stop()
  // After a restart what the library was never asked is taken back, what it was asked is for people.
  const later = await openOurs(t, door, system, { disks })
  await later.returned()
  t.match(later.lines(), /fee_open.*BK-00005/)
  t.equal(await later.pay('BK-00004'), 'N the money went back')
  t.equal(await earned(door), 3 * fen)
  system.accepts = 'N'
  t.equal(await later.pay('BK-00005'), 'N')
  await later.returned()
  t.equal(await earned(door), 2 * fen)
  await later.stop()
})

t.test('money that does not come back is not told as back', async t => {
  const door = await opened(t)
  const system = await startSystem(t)
  const disks = new Map<string, Image>()
  const refusing: Partial<Desk> = {
    takeBack: async () => ({ answered: Promise.resolve({ outcome: 'refused', why: 'made up' }) })
  }
  const ours = await openOurs(t, door, system, { disks, desk: refusing })
  system.accepts = 'N'
  t.equal(await ours.pay('BK-00001'), 'N this payment is open: please ask the staff')
  t.match(ours.lines(), /fee_stuck.*BK-00001/)
  await ours.stop()
  const later = await openOurs(t, door, system, { disks })
  t.equal(await later.pay('BK-00001'), 'N this payment is open: please ask the staff')
  t.strictSame(system.asked, ['BK-00001'])
  await later.stop()
  // Paid through a gateway that knew of it; this one knows nothing, and neither pays nor gives back.
  system.accepts = 'Y'
  const stranger = await openOurs(t, door, system)
  t.equal(await stranger.pay('BK-00001'), 'N this payment is open: please ask the staff')
  t.match(stranger.lines(), /fee_unknown.*BK-00001/)
  t.equal(await earned(door), fen)
  await stranger.stop()
})

/* ---- a gateway of its own, killed ---- */

t.test('kill -9 at each place of a payment: fee and money agree after the next start', async t => {
  const door = await opened(t)
  const system = await startSystem(t)
  const folder = mkdtempSync(join(tmpdir(), 'ils-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  writeFileSync(join(folder, 'config.json'), JSON.stringify({
    gateway: 'g1', ledger: { url: door.url, token: `GW1.${secretOf('GW1')}` },
    spoolDir: join(folder, 'spool'), lanes: [],
    ports: [{
      port: 'SC', tcp: { port }, speaks: { ...speaks, ils: { ...ilsOf(system), lapseSeconds: 600 } }
    }]
  }))
  const start = (killAt = '') => gatewayProcess(t, {
    GATEWAY_CONFIG: join(folder, 'config.json'), CITIZEN_CARD_KILL_AT: killAt,
    LOG_LEVEL: 'fatal', GATEWAY_CLOCK: '2026-02-01T10:00:00+08:00'
  })
  const stories = [
    ['fee-before-debit', 'Y', 'N the money went back', 0],
    ['fee-after-debit', 'Y', 'N the money went back', 0],
    ['fee-before-library', 'Y', 'Y', fen],
    ['fee-after-library', 'Y', 'Y', fen],
    ['fee-after-library', 'N', 'N', 0],
    ['fee-before-back', 'N', 'N the money went back', 0]
  ] as const
  let paid = 0
  for (const [no, [place, accepts, then, more]] of stories.entries()) {
    system.accepts = accepts
    const what = `${place}, ${accepts}`
    const first = await start(place)
    const sc = await connectSelfCheck(port)
    void sc.say(paying(`BK-0000${no}`)).catch(() => undefined)
    t.equal((await first.ended).signal, 'SIGKILL', what)
    sc.close()
    const second = await start()
    const again = await connectSelfCheck(port)
    const said = await again.say(paying(`BK-0000${no}`))
    t.equal([said.fixed['accepted'], valueOf(said, 'AF') ?? ''].join(' ').trim(), then, what)
    paid += more
    await until(async () => await earned(door) === paid, `${what}: ${paid}`)
    again.close()
    t.equal((await second.stop()).code, 0, `${what}: it stops in order`)
  }
})
