// Virtual cards and PSAMs on a real pcscd, reached through the real binding: lanes side by side, cards torn
// off, the daemon killed, the farm's own life and death.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { hex, u16, u32 } from '../schemas/epurse/hex.ts'
import type { CardDescription } from '../terminal-sim/card/description.ts'
import { type Random, createRandom } from '../terminal-sim/random.ts'
import { type Farm, startFarm } from '../terminal-sim/reader/farm.ts'
import type { Fault } from '../terminal-sim/reader/fault.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { type Inserted, createSlot } from '../terminal-sim/reader/vicc.ts'
import { type PcscClient, type ReaderClient, openPcsc, whyNoPcsc } from './support/pcsc-client.ts'

const dir = mkdtempSync(join(tmpdir(), 'farm-'))
t.teardown(() => rmSync(dir, { recursive: true, force: true }))
t.setTimeout(300_000)
const skip = whyNoFarm() ?? await whyNoPcsc() ?? false

/* ---- a lane: a card reader and a PSAM reader, and the tap of a terminal ---- */

type FamilyName = 'cjt166' | 't-union' | 'pboc'
type Family = {
  select: string, psam: string, form: '01' | '03', type: '06' | '09', record: string | null, factors: 1 | 2
}

const [aid, tUnionAid] = ['A00000000386980701', 'A000000632010105']
const cityUnion = { select: `00A4040009${aid}`, psam: '00A40000021001', factors: 1 } as const
const tUnion = { select: `00A4040008${tUnionAid}`, psam: '00A40000028011', factors: 2 } as const
const families: Readonly<Record<FamilyName, Family>> = {
  cjt166: { ...cityUnion, form: '03', type: '09', record: '80DC02B830022E00' + '00'.repeat(45) },
  't-union': { ...tUnion, form: '03', type: '09', record: '80DC00F03006' + '00'.repeat(47) },
  pboc: { ...cityUnion, form: '01', type: '06', record: null }
}

type Lane = {
  readonly name: string, readonly index: number, readonly family: FamilyName, readonly chip: string
  readonly card: ReaderClient, readonly psam: ReaderClient
  readonly cardTimes: number[], readonly psamTimes: number[]
}

const names = ['BUS-1', 'BUS-2', 'MET-9', 'CLINIC', 'LIB']
const laneFamilies: readonly FamilyName[] = ['cjt166', 't-union', 'pboc', 't-union', 'cjt166']
const serialOf = (index: number) => `0099000000001234567${index}`
const issuer = '9900FF0000000000'

const cardOf = (index: number): CardDescription =>
  ({ profile: laneFamilies[index] ?? 'pboc', issuer, serial: serialOf(index), balanceFen: 1_000_000 })

async function openLane (farm: Farm, pcsc: PcscClient, index: number): Promise<Lane> {
  const pair = farm.pairs[index]
  const family = laneFamilies[index]
  if (pair === undefined || family === undefined) throw new Error(`no pair ${index}`)
  const [card, psam] = [await pcsc.reader(pair.card), await pcsc.reader(pair.psam)]
  await Promise.all([card.present(), psam.present()])
  await card.connect('T=1')
  await psam.connect('T=0')
  return { name: pair.name, index, family, chip: `card ${index}`, card, psam, cardTimes: [], psamTimes: [] }
}

/** Data and status word in hex; a T=0 module's 61xx is followed by GET RESPONSE. */
async function timed (reader: ReaderClient, times: number[], command: string): Promise<string> {
  const start = performance.now()
  const answer = await reader.transmit(command)
  times.push(performance.now() - start)
  return /^61..$/.test(answer) ? await timed(reader, times, '00C00000' + answer.slice(2)) : answer
}

const when = '20260302083015'
class EndedError extends Error {}

/** A tap; the last answer, which is the first that is not 9000, or what the binding said instead of one. */
async function tap (lane: Lane, amountFen: number): Promise<string> {
  const ask = async (chip: 'card' | 'psam', command: string) => {
    const answer = await timed(lane[chip], chip === 'card' ? lane.cardTimes : lane.psamTimes, command)
    if (!answer.endsWith('9000')) throw new EndedError(answer)
    return answer
  }
  try {
    return await tapSteps(ask, lane, hex(u32(amountFen)))
  } catch (error) {
    if (error instanceof EndedError) return error.message
    return `error: ${error instanceof Error ? error.message : String(error)}`
  }
}

type Ask = (chip: 'card' | 'psam', command: string) => Promise<string>

/** Each command from the answers before it. */
async function tapSteps (ask: Ask, { family, index }: Lane, amount: string): Promise<string> {
  const { select, psam, form, type, record, factors } = families[family]
  await ask('psam', psam)
  await ask('card', select)
  await ask('card', '00B0950000')
  const init = await ask('card', `8050${form}020B01${amount}9900000000010F`)
  const variable = init.slice(22, 30) + init.slice(8, 12) + amount + type + when + init.slice(18, 22)
  const factorBytes = serialOf(index).slice(4) + (factors === 2 ? issuer : '')
  const mac1 = await ask('psam', `80700000${factors === 2 ? '24' : '1C'}${variable}${factorBytes}`)
  if (record !== null) await ask('card', record)
  const paid = await ask('card', `805401000F${mac1.slice(0, 8)}${when}${mac1.slice(8, 16)}08`)
  return await ask('psam', `8072000004${paid.slice(8, 16)}`)
}

async function furnish (farm: Farm): Promise<void> {
  for (const [index, pair] of farm.pairs.entries()) {
    const profile = laneFamilies[index] ?? 'pboc'
    await farm.createCard({ chip: `card ${index}`, card: cardOf(index) })
    await farm.createPsam({ chip: `psam ${index}`, psam: { profile, terminal: '990000000001' } })
    await Promise.all([
      farm.insert({ chip: `card ${index}`, reader: pair.card }),
      farm.insert({ chip: `psam ${index}`, reader: pair.psam })
    ])
  }
}

function figures (times: readonly number[]): string {
  const sorted = [...times].sort((one, other) => one - other)
  const [p50, p99] = [0.5, 0.99].map(part => sorted[Math.floor(sorted.length * part)]?.toFixed(2))
  return `p50 ${p50} ms, p99 ${p99} ms`
}

/* ---- the tests ---- */

t.test('real readers', { skip, timeout: 250_000 }, async t => {
  const pairs = names.map(name => ({ name }))
  const farm = await startFarm({ dir: join(dir, 'one'), pairs, seed: 20260302 })
  t.teardown(() => farm.stop())
  await furnish(farm)
  let pcsc = await openPcsc(farm.socket)
  t.teardown(() => pcsc.close())
  const lanes = await Promise.all(names.map((_, index) => openLane(farm, pcsc, index)))

  await t.test('five lanes at once, card and PSAM each', async t => {
    const rounds = 40
    await Promise.all(lanes.map(async lane => {
      for (let round = 1; round <= rounds; round++) {
        const last = await tap(lane, round)
        if (last !== '9000') t.fail(`${lane.name} round ${round}: ${last}`)
      }
    }))
    for (const lane of lanes) {
      const { purse, log, proof } = await farm.inspectCard({ chip: lane.chip })
      t.equal(purse.balanceFen, 1_000_000 - rounds * (rounds + 1) / 2, `${lane.name}: all fares`)
      t.equal(purse.offlineCounter, rounds)
      t.match(log[0], { counter: rounds, amountFen: rounds, terminal: '990000000001', date: '20260302' })
      t.equal(proof?.counter, rounds)
      t.match(await farm.inspectPsam({ chip: `psam ${lane.index}` }), { sequence: rounds + 1, errors: 0 })
      t.comment(`${lane.name}: per APDU card ${figures(lane.cardTimes)}, PSAM ${figures(lane.psamTimes)}`)
    }
  })

  await t.test('one lane alone', async t => {
    const [lane] = lanes
    if (lane === undefined) return
    lane.cardTimes.length = 0
    for (let count = 0; count < 500; count++) await timed(lane.card, lane.cardTimes, '00B0950000')
    t.equal(lane.cardTimes.length, 500)
    t.comment(`per APDU ${figures(lane.cardTimes)}`)
  })

  await t.test('fifty cards torn, hung or cut short', { timeout: 200_000 }, async t => {
    const random = createRandom('torn cards')
    const trials = 10
    await Promise.all(lanes.map(async lane => {
      const chance = random.fork(lane.name)
      for (let trial = 0; trial < trials; trial++) await tornTap(t, farm, lane, chance)
    }))
    t.match(await farm.health({}), { crashes: 0 }, 'pcscd lives')
    for (const lane of lanes) t.equal(await tap(lane, 1), '9000', `${lane.name} goes on`)
  })

  await t.test('an answer takes as long as it is told to', async t => {
    const [lane] = lanes
    if (lane === undefined) return
    await farm.setDelays({ chip: lane.chip, delays: { '00B0': 40 } })
    lane.cardTimes.length = 0
    await timed(lane.card, lane.cardTimes, '00B0950000')
    t.ok((lane.cardTimes[0] ?? 0) >= 39, 'at least 40 ms')
    await farm.setDelays({ chip: lane.chip, delays: {} })
  })

  await t.test('pcscd killed and started again', async t => {
    const before = await farm.inspectCard({ chip: 'card 0' })
    await farm.killPcscd({})
    await t.rejects(Promise.resolve(lanes[0]?.card.transmit('00B0950000')), /0x801000/)
    await farm.startPcscd({})
    await t.rejects(farm.startPcscd({}), /runs already/)
    pcsc.close()
    pcsc = await openPcsc(farm.socket)
    const lane = await openLane(farm, pcsc, 0)
    t.match(await lane.card.transmit('805C000204'), '6985', 'the card lost power')
    t.equal(await tap(lane, 7), '9000')
    const after = await farm.inspectCard({ chip: 'card 0' })
    t.equal(after.purse.balanceFen, before.purse.balanceFen - 7, 'and nothing else')
    t.match(await farm.health({}), { crashes: 0 }, 'a death that was asked for is no crash')
    await lane.card.disconnect()
    pcsc.close()
    process.kill((await farm.health({})).pcscdPid ?? 0, 'SIGSEGV')
    while ((await farm.health({})).pcscdPid !== null);
    t.match(await farm.health({}), { crashes: 1 }, 'any other is')
  })

  await t.test('what cannot be is refused in words', async t => {
    await t.rejects(farm.insert({ chip: 'card 9', reader: 'BUS-1 00 00' }), /BUS-1 00 00 holds card 0/)
    await t.rejects(farm.insert({ chip: 'card 9', reader: 'B 00 00' }), /no reader named B 00 00; there are BUS-1/)
    await farm.remove({ reader: 'BUS-1 00 00' })
    await t.rejects(farm.insert({ chip: 'card 9', reader: 'BUS-1 00 00' }), /no chip named card 9/)
    await t.rejects(farm.insert({ chip: 'card 1', reader: 'BUS-1 00 00' }), /card 1 is in BUS-2 00 00/)
    t.equal((await farm.occupants({}))['BUS-1 00 00'], null, 'a refused chip is not in the reader')
    await t.rejects(farm.createCard({ chip: 'card 0', card: cardOf(0) }), /named card 0 is there already/)
    await t.rejects(farm.createCard({ chip: 'bad', card: { ...cardOf(0), serial: '00' } }), /card\.serial: 10 bytes/)
    await t.rejects(farm.inspectPsam({ chip: 'card 0' }), /card 0 is a card, not a psam/)
    await t.rejects(farm.arm({ chip: 'card 0', fault: { kind: 'short', bytes: 0 } }), /1 byte or more/)
  })

  await t.test('a second farm beside the first; cards move there through a file', async t => {
    const file = join(dir, 'cards.json')
    await farm.snapshot({ file })
    const other = await startFarm({ dir: join(dir, 'two'), pairs: [{ name: 'DESK' }], seed: 1 })
    t.teardown(() => other.stop())
    await other.restore({ file })
    t.strictSame(await other.inspectCard({ chip: 'card 1' }), await farm.inspectCard({ chip: 'card 1' }))
    t.strictSame(await other.inspectPsam({ chip: 'psam 1' }), await farm.inspectPsam({ chip: 'psam 1' }))
    await t.rejects(other.restore({ file }), /is there already/)
    await independentPeers(t, other)
  })
})

/** One tap with one fault at a random command; then the card comes back and must tell what happened. */
async function tornTap (t: Test, farm: Farm, lane: Lane, random: Random): Promise<void> {
  const { select, type, record } = families[lane.family]
  const before = (await farm.inspectCard({ chip: lane.chip })).purse
  const commit = random.pick(['before', 'after'] as const)
  const faults: Fault[] = [
    { kind: 'tear', commit }, { kind: 'tear', commit }, { kind: 'silence', commit },
    { kind: 'short', bytes: 1 }, { kind: 'cut', bytes: random.int(0, 1) }
  ]
  const fault = { ...random.pick(faults), nth: random.int(1, record === null ? 4 : 5) }
  await farm.arm({ chip: lane.chip, fault })
  const tapped = tap(lane, 100)
  await farm.faultsStruck({ chip: lane.chip })
  const reader = `${lane.name} 00 00`
  if (fault.kind === 'silence') await farm.remove({ reader })
  t.match(await tapped, /^(..)?$|^error: /, `${lane.name}: not even a status word after ${JSON.stringify(fault)}`)
  await farm.remove({ reader })
  if ((await farm.health({})).crashes > 0) throw new Error(`pcscd died of ${JSON.stringify(fault)}`)
  await lane.card.empty()
  await lane.card.disconnect().catch(() => {}) // the card is gone: whether that is an error differs by moment

  await farm.insert({ chip: lane.chip, reader })
  await lane.card.present()
  await lane.card.connect('T=1')
  t.match(await lane.card.transmit(select), /9000$/)
  const proof = await lane.card.transmit(`805A00${type}02${hex(u16(before.offlineCounter + 1))}08`)
  const { purse } = await farm.inspectCard({ chip: lane.chip })
  const committed = purse.offlineCounter === before.offlineCounter + 1
  t.match(proof, committed ? /^.{16}9000$/ : /^9406$/, 'the proof agrees with the chip')
  t.equal(before.balanceFen - purse.balanceFen, committed ? 100 : 0)
}

/** PC/SC clients of others: one runs the first commands of the worked example, two look at the reader. */
async function independentPeers (t: Test, farm: Farm): Promise<void> {
  const tool = '/usr/bin/scriptor'
  const none = ![tool, '/usr/bin/opensc-tool', '/usr/bin/pcsc_scan'].every(path => existsSync(path)) &&
    'no scriptor, pcsc_scan, opensc-tool (Debian packages pcsc-tools, opensc)'
  await t.test('independent clients', { skip: none }, async t => {
    const card = { ...cardOf(0), serial: serialOf(8), balanceFen: 0x2710, offlineCounter: 0x2A }
    await farm.createCard({ chip: 'W', card })
    await farm.insert({ chip: 'W', reader: 'DESK 00 00' })
    const commands = [`00A4040009${aid}`, '00B0950000', '805C000204', '805001020B01000000C89900000000010F']
    const said = execFileSync(tool, ['-r', 'DESK 00 00', '-p', 'T=1'], {
      input: commands.join('\n') + '\n', encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, PCSCLITE_CSOCK_NAME: farm.socket }
    })
    const answers = [...said.matchAll(/^< ([0-9A-F\s]+) :/gm)].map(([, bytes = '']) => bytes.replaceAll(/\s/g, ''))
    t.equal(answers.length, 4)
    t.match(answers[1], /^9900FF0000000000.{44}9000$/)
    t.equal(answers[2], '000027109000')
    t.match(answers[3], /^00002710002A0000000100.{8}9000$/)

    const ask = (program: string, ...args: string[]) => execFileSync(program, args, {
      encoding: 'utf8', env: { ...process.env, PCSCLITE_CSOCK_NAME: farm.socket }
    })
    const readers = ask('pcsc_scan', '-r')
    t.match(readers, /\d: DESK 00 00$/m)
    const place = /(\d+): DESK 00 00$/m.exec(readers)?.[1] ?? ''
    const seen = ask('opensc-tool', '-r', place, '-s', `00A4040009${aid}`, '-s', '805C000204')
    t.match(seen, /SW1=0x90, SW2=0x00[^]*SW1=0x90, SW2=0x00/, 'selected, asked for its balance')
    t.match(seen, /00 00 27 10/)
  })
}

/* ---- the wire to the driver, with a driver of the test's own ---- */

type Driver = { readonly port: number, card (): Promise<Wire>, close (): void }
type Wire = {
  send (text: string): void
  /** That many bytes, hex. */
  take (count: number): Promise<string>
  /** What comes until the card hangs up. */
  rest (): Promise<string>
  end (): void
}

async function driver (): Promise<Driver> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    card: async () => wireOf((await once(server, 'connection'))[0] as Socket),
    close: () => server.close()
  }
}

function wireOf (socket: Socket): Wire {
  let got = ''
  socket.setNoDelay().on('data', data => { got += data.toString('hex') })
  return {
    send: text => { socket.write(Buffer.from(text.replaceAll(' ', ''), 'hex')) },
    async take (count) {
      while (got.length < 2 * count) await once(socket, 'data')
      const taken = got.slice(0, 2 * count)
      got = got.slice(2 * count)
      return taken
    },
    async rest () {
      if (!socket.readableEnded) await once(socket, 'end')
      return got
    },
    end: () => { socket.end() }
  }
}

function countedChip (struck: Fault | null = null) {
  const counts = { resets: 0, commands: 0, torn: 0 }
  const inserted: Inserted = {
    chip: {
      atr: Buffer.from('3B00', 'hex'),
      reset () { counts.resets++ },
      transmit (_, power) {
        counts.commands++
        return power === 'steady' ? Buffer.from('9000', 'hex') : null
      }
    },
    decide: () => ({ struck, delayMs: 0 }),
    tell () {},
    torn () { counts.torn++ }
  }
  return { counts, inserted }
}

t.test('early byte: half a frame is answered with half an answer, and never left so', async t => {
  const { port, card, close } = await driver()
  t.teardown(close)
  const { counts, inserted } = countedChip()
  const slot = createSlot(port)
  const seen = slot.insert(inserted)
  const wire = await card()
  wire.send('0001 04')
  t.equal(await wire.take(4), '00023b00', 'a whole frame: a whole answer')
  await seen
  wire.send('0001')
  t.equal(await wire.take(1), '00', 'the first byte of the next answer')
  wire.send('01 0005')
  wire.send('00B0')
  wire.send('950000')
  t.equal(await wire.take(3), '029000', 'power on has no answer: the byte was that of the command after it')
  t.strictSame(counts, { resets: 1, commands: 1, torn: 0 })

  wire.send('00')
  t.equal(await wire.take(1), '00')
  const removed = slot.remove()
  t.equal(await wire.rest(), '00', 'the length is completed before the end')
  wire.end()
  await removed
  t.equal(counts.resets, 2)
})

t.test('a driver that dies takes the power; the card stays and tries again', async t => {
  const { port, card, close } = await driver()
  t.teardown(close)
  const { counts, inserted } = countedChip()
  const slot = createSlot(port)
  const seen = slot.insert(inserted)
  const first = await card()
  first.end()
  const second = await card()
  t.equal(counts.resets, 1)
  second.send('0001 04')
  t.equal((await second.take(2)).length, 4)
  await seen
  second.end()
  await slot.remove()
})

t.test('torn off here, at work there: the late goodbye here takes no power there', async t => {
  const [here, there] = [await driver(), await driver()]
  t.teardown(() => [here, there].forEach(({ close }) => close()))
  const { counts, inserted } = countedChip({ kind: 'tear', commit: 'after' })
  const slot = createSlot(here.port)
  void slot.insert(inserted)
  const wire = await here.card()
  wire.send('0005 00B0950000')
  t.equal(await wire.rest(), '', 'no answer')
  t.match(counts, { commands: 1, torn: 1, resets: 1 })

  const other = createSlot(there.port)
  void other.insert(inserted)
  const late = await there.card()
  late.send('0001 04')
  await late.take(4)
  wire.end()
  await delay(50)
  t.equal(counts.resets, 1)
  late.end()
  await other.remove()
})

t.test('setups that cannot be', { skip }, async t => {
  const start = (pairs: string[], place = join(dir, 'no')) =>
    startFarm({ dir: place, pairs: pairs.map(name => ({ name })) })
  await t.rejects(start([]), /1 to 7 pairs/)
  await t.rejects(start(['1', '2', '3', '4', '5', '6', '7', '8']), /1 to 7 pairs/)
  await t.rejects(start(['A', 'A']), /same name/)
  await t.rejects(start(['A"']), /not a reader name/)
  await t.rejects(start(['A'], join(dir, 'x'.repeat(100))), /shorter/)
  await t.rejects(start(['A'], '/run/farm'), /elsewhere/)
})

t.test('a farm does not outlive who started it', { skip }, async t => {
  const farmModule = join(import.meta.dirname, '../terminal-sim/reader/farm.ts')
  const program = `
    const { startFarm } = await import(${JSON.stringify(farmModule)})
    const farm = await startFarm({ dir: ${JSON.stringify(join(dir, 'orphan'))}, pairs: [{ name: 'A' }] })
    process.stdout.write(JSON.stringify([farm.pid, (await farm.health({})).pcscdPid]))
    process.kill(process.pid, 'SIGKILL')`
  const args = ['--import', 'tsx', '--input-type=module', '-e', program]
  const starter = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  for await (const text of starter.stdout.setEncoding('utf8')) said += text
  const pids = JSON.parse(said) as number[]
  t.equal(pids.length, 2)
  for (const pid of pids) t.ok(await ends(pid), `${pid} has ended`)
})

/** Gone from the process table, or there only because nobody has asked for its exit code. */
async function ends (pid: number): Promise<boolean> {
  for (let tries = 0; tries < 500; tries++) {
    const stat = existsSync(`/proc/${pid}/stat`) ? readStat(pid) : 'Z'
    if (stat === 'Z') return true
    await delay(20)
  }
  return false
}

function readStat (pid: number): string {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? 'Z'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return 'Z'
    throw error
  }
}
