// Each row of docs/faults.md that is not shown elsewhere, on the real stack: readers, processes, disks and
// sockets that fail, and a ledger on PostgreSQL that is asked in the end what it has booked.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openDesk } from '../gateway/desk.ts'
import { entriesOf } from '../gateway/spool/recover.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { createHttpClient } from '../runtime/http-client.ts'
import { type CardRef, cardKey } from '../schemas/record.ts'
import type { NewRequest } from '../schemas/request.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { breakPoints } from './support/cable.ts'
import { type City, openCity } from './support/edge-city.ts'
import { faults, faultsPage } from './support/fault-table.ts'
import { openShop, type Seen, tillStories } from './support/till-faults.ts'
import { whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import type { Running } from './support/lanes.ts'
import { startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { clientOf } from './support/small-city.ts'
import { holdMetrics, parse } from './support/metrics-page.ts'
import { recordingDisk } from './support/recording-disk.ts'
import { systemClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'

/** A pcscd serves fifteen readers at most: seven lanes with their PSAMs each. */
const lanes = Array.from({ length: 14 }, (_, index) => `L${index + 1}`)
const beside = 3

/** What a story needs: a lane that nobody else uses meanwhile, numbers of cards and names that are new. */
type Scene = {
  readonly t: Test, readonly city: City, readonly lane: string, readonly name: string, readonly no: number
}
const stories: Readonly<Record<string, (scene: Scene) => Promise<Seen>>> = {
  'the ledger is gone before, inside or after a delivery, or silent: at each of five points': async scene => {
    const { city, lane, name, no } = scene
    const cable = await city.cable(name)
    const gateway = await city.gateway(name, [lane], { config: { uplink: hasty } })
    const reasons: string[] = []
    for (const point of breakPoints) {
      const broken = cable.breakNext('POST /v1/records', point)
      reasons.push((await city.tap(gateway, lane, no)).reason)
      await broken
      await gateway.drained()
    }
    return await seen(scene, reasons, [gateway])
  },

  'the ledger is gone before, inside or after a request, or silent: at each of five points':
    async ({ t, city, name, no }) => {
      const token = await clientOf(city.door, 'SHP', 'agent')
      const cable = await city.cable(name)
      const http = createHttpClient({
        baseUrl: cable.url, random: () => 0.5, headers: { authorization: `Bearer ${token}` }
      })
      t.teardown(() => http.close())
      const desk = await openDesk({
        http,
        files: recordingDisk(),
        clock: systemClock,
        nowMs: () => performance.now(),
        random: () => 0.5,
        log: createLog('desk', { level: 'silent' })
      })
      t.teardown(() => desk.close())
      const outcomes = new Set<string>()
      const silent: string[] = []
      for (const [index, point] of breakPoints.entries()) {
        const request: NewRequest =
          { kind: 'top_up', key: `${name}-top-up-${index}`, card: cardOf(no), amountFen: 1_000, party: 'SHP' }
        const broken = cable.breakNext('POST /v1/requests', point)
        const first = await desk.ask(request, point === 'silence' ? 400 : 20_000)
        await broken
        if (point !== 'silence') outcomes.add(first.outcome)
        else silent.push(first.outcome, (await desk.ask(request, 20_000)).outcome)
        const again = await desk.ask(request, 20_000)
        t.match(again, { reply: { replayed: true, balanceFen: 1_000 * (index + 1) } }, `${point}: once`)
      }
      const moved = await city.door.db.query<{ journals: string }>(
        'select count(distinct journal_id) as journals from transfer where amount_fen = 1000')
      return {
        resident: `${[...outcomes].join()}; silent until the deadline: ${silent.join(', then ')}`,
        spool: 'nothing: a request is no record',
        ledger: `${breakPoints.length} requests, ${moved.rows[0]?.journals} transfers`
      }
    },

  'a listed card leaves at the command that blocks it, before or after its chip obeys': async scene => {
    const { city, lane, name } = scene
    const gateway = await blocking(scene, [60, 61])
    const told: string[] = []
    let open = 0
    for (const [index, commit] of (['before', 'after'] as const).entries()) {
      const chip = await city.chip(60 + index, lane)
      await city.farmOf(lane).arm({ chip, fault: { kind: 'tear', commit, command: '841E' } })
      const first = await city.tap(gateway, lane, 60 + index)
      open += blocksIn(gateway).open
      const second = await city.tap(gateway, lane, 60 + index)
      told.push(`${commit} it obeys ${first.reason}, then ${second.reason}`)
    }
    await blocksTold(gateway)
    const left = inBook(gateway)
    return {
      resident: told.join(' · '),
      spool: `${await spoolOf([gateway])}; in the book of blocks ${open} open, ${left} once they are back`,
      ledger: await blocked(scene, [60, 61], name)
    }
  },

  'the ledger is gone at each of five points of signing a block, and of hearing of it': async scene => {
    const { city, lane, name } = scene
    const cards = Array.from({ length: 2 * breakPoints.length }, (_, index) => 62 + index)
    const cable = await city.cable(name)
    const gateway = await blocking(scene, cards)
    const answered = new Set<string>()
    let silent = ''
    for (const [index, no] of cards.entries()) {
      const call = index < breakPoints.length ? 'POST /v1/card-blocks ' : 'POST /v1/card-blocks/outcome '
      const point = breakPoints[index % breakPoints.length] ?? 'silence'
      const broken = cable.breakNext(call, point)
      const reasons = [(await city.tap(gateway, lane, no)).reason]
      await broken
      await blocksTold(gateway)
      reasons.push((await city.tap(gateway, lane, no)).reason)
      if (reasons[0] === 'blacklisted') silent = `at ${point} of signing ${reasons.join(', then ')}`
      else answered.add(reasons.join(', then '))
    }
    return {
      resident: `${[...answered].join(' or ')}; ${silent}`,
      spool: `${await spoolOf([gateway])}; in the book of blocks ${inBook(gateway)} in the end`,
      ledger: await blocked(scene, cards, name)
    }
  },

  'no ledger when a listed card comes': async scene => {
    const { city, lane, name } = scene
    const cable = await city.cable(name)
    const gateway = await blocking(scene, [72])
    await cable.cut()
    const reasons = [(await city.tap(gateway, lane, 72)).reason]
    const sent = inBook(gateway)
    await cable.mend()
    reasons.push((await city.tap(gateway, lane, 72)).reason)
    await blocksTold(gateway)
    return {
      resident: reasons.join(', then '),
      spool: `${await spoolOf([gateway])}; in the book of blocks ${sent}: nothing was sent to the chip`,
      ledger: await blocked(scene, [72], name)
    }
  },

  'SIGTERM in the middle of a tap': async scene => {
    const { t, city, lane, name, no } = scene
    const first = await city.gateway(name, [lane])
    const chip = await city.chip(no, lane)
    await city.farmOf(lane).setDelays({ chip, delays: { 8054: 400 } })
    const told = first.tap(lane)
    await city.farmOf(lane).insert({ chip, reader: `${lane} 00 00` })
    while ((await first.lane(lane)).state !== 'debiting') await delay(5)
    first.child.kill('SIGTERM')
    const { reason } = await told
    const ended = await first.child.stop()
    t.strictSame(ended, { code: 0, signal: null }, 'it ended by itself')
    await city.farmOf(lane).remove({ reader: `${lane} 00 00` })
    const second = await city.gateway(name, [lane])
    await second.drained()
    return await seen(scene, [reason], [second])
  },

  'the PSAM is pulled, put back, and pulled again after the debit': async scene => {
    const { city, lane, name, no } = scene
    const gateway = await city.gateway(name, [lane])
    const farm = city.farmOf(lane)
    const psam = { chip: `psam-${lane}`, reader: `${lane} 00 01` }
    const isReady = async (wanted: boolean) => {
      while (((await gateway.lane(lane)).psam.state === 'ready') !== wanted) await delay(20)
    }
    await farm.remove({ reader: psam.reader })
    await isReady(false)
    const reasons = [(await city.tap(gateway, lane, no)).reason]
    await farm.insert(psam)
    await isReady(true)
    reasons.push((await city.tap(gateway, lane, no)).reason)
    const chip = await city.chip(no, lane)
    await farm.setDelays({ chip, delays: { 8054: 400 } })
    const told = gateway.tap(lane)
    await farm.insert({ chip, reader: `${lane} 00 00` })
    while ((await gateway.lane(lane)).state !== 'debiting') await delay(5)
    await farm.remove({ reader: psam.reader })
    reasons.push((await told).reason)
    await farm.remove({ reader: `${lane} 00 00` })
    await farm.insert(psam)
    await isReady(true)
    while ((await gateway.lane(lane)).cardReader !== 'empty') await delay(20)
    reasons.push((await city.tap(gateway, lane, no)).reason)
    await gateway.drained()
    return await seen(scene, reasons, [gateway])
  },

  'kill -9 with the ledger away, and a start without it': async scene => {
    const { city, lane, name, no } = scene
    const cable = await city.cable(name)
    const first = await city.gateway(name, [lane])
    await cable.cut()
    const reasons = [(await city.tap(first, lane, no)).reason]
    first.child.kill('SIGKILL')
    await first.stop()
    const second = await city.gateway(name, [lane])
    reasons.push((await city.tap(second, lane, no)).reason)
    await cable.mend()
    await second.drained()
    return await seen(scene, reasons, [second])
  },

  'the disk fills up to its reserve, and is cleared': async scene => {
    const { t, city, lane, name, no } = scene
    const disk = join(city.dir, name)
    mountSmallDisk(t, disk)
    const gateway = await city.gateway(name, [lane], { config: { spool: { freeBytesMin: 2 * 1024 * 1024 } } })
    const reasons = [(await city.tap(gateway, lane, no)).reason]
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(3 * 1024 * 1024))
    reasons.push((await city.tap(gateway, lane, no)).reason)
    t.match(await (await fetch(`${gateway.url}/readyz`)).json(), { ready: false, refusal: 'spool_full' })
    rmSync(join(disk, 'ballast'))
    reasons.push((await city.tap(gateway, lane, no)).reason)
    await gateway.drained()
    return await seen(scene, reasons, [gateway])
  },

  'the disk takes no byte more, before the debit; the gateway ends and is started again': async scene => {
    const { t, city, lane, name, no } = scene
    const first = await city.gateway(name, [lane])
    const reasons = [(await city.tap(first, lane, no)).reason]
    await first.drained()
    refuseBytes(first)
    reasons.push((await city.tap(first, lane, no)).reason)
    t.strictSame(await first.ended, { code: 1, signal: null }, 'a supervisor starts it again')
    const second = await city.gateway(name, [lane])
    reasons.push((await city.tap(second, lane, no)).reason)
    await second.drained()
    return await seen(scene, reasons, [second])
  },

  'the disk takes no byte more, after the debit; the gateway ends and is started again': async scene => {
    const { t, city, lane, name, no } = scene
    const first = await city.gateway(name, [lane])
    const reasons = [(await city.tap(first, lane, no)).reason]
    await first.drained()
    const chip = await city.chip(no, lane)
    await city.farmOf(lane).setDelays({ chip, delays: { 8054: 300 } })
    const told = first.tap(lane)
    await city.farmOf(lane).insert({ chip, reader: `${lane} 00 00` })
    while ((await first.lane(lane)).state !== 'debiting') await delay(5)
    refuseBytes(first)
    reasons.push((await told).reason)
    t.strictSame(await first.ended, { code: 1, signal: null }, 'a supervisor starts it again')
    await city.farmOf(lane).remove({ reader: `${lane} 00 00` })
    const second = await city.gateway(name, [lane])
    while ((await second.lane(lane)).cardReader !== 'empty') await delay(20)
    reasons.push((await city.tap(second, lane, no)).reason)
    await second.drained()
    return await seen(scene, reasons, [second])
  },

  'the clock of the gateway is set back by an hour between two taps': async scene => {
    const { city, lane, name, no } = scene
    const gateway = await city.gateway(name, [lane], { settable: true, clock: '2026-03-02T09:30:00+08:00' })
    const reasons = [(await city.tap(gateway, lane, no)).reason]
    await gateway.clock('2026-03-02T08:30:00+08:00')
    reasons.push((await city.tap(gateway, lane, no)).reason)
    await gateway.drained()
    return await seen(scene, reasons, [gateway])
  },

  'the clock of the gateway is lost: the year 2000, until it is set': async scene => {
    const { city, lane, name, no } = scene
    const gateway = await city.gateway(name, [lane], { settable: true })
    const reasons: string[] = []
    for (const at of ['2026-03-02T08:00:00', '2000-01-01T00:00:10', '2026-03-02T08:01:00']) {
      await gateway.clock(`${at}+08:00`)
      reasons.push((await city.tap(gateway, lane, no)).reason)
    }
    await gateway.drained()
    return await seen(scene, reasons, [gateway])
  }
}

/** Thirteen healthy cards and fourteen PSAMs beside it, six of them on the same pcscd. */
const hung = 'a card never answers, beside thirteen chips that do'

async function hungCard (scene: Scene): Promise<Seen> {
  const { t, city, name, no } = scene
  const gateway = await city.gateway(name, lanes)
  const [broken = '', ...healthy] = lanes
  const chip = await city.chip(no, broken)
  await city.farmOf(broken).arm({ chip, fault: { kind: 'silence', commit: 'after', command: '8054' } })
  const silent = gateway.tap(broken)
  await city.farmOf(broken).insert({ chip, reader: `${broken} 00 00` })
  while ((await gateway.lane(broken)).state !== 'debiting') await delay(5)
  const others = async () => (await Promise.all(healthy.map((lane, index) =>
    city.tap(gateway, lane, no + 1 + index)))).map(one => one.reason)
  const meanwhile = new Set(await others())
  const reasons = [(await silent).reason]
  const after = new Set(await others())
  t.strictSame([...meanwhile, ...after], ['paid', 'paid'])
  await city.farmOf(broken).remove({ reader: `${broken} 00 00` })
  while ((await gateway.lane(broken)).cardReader !== 'empty') await delay(20)
  reasons.push((await city.tap(gateway, broken, no)).reason)
  await gateway.drained()
  holdMetrics(t, parse(await (await fetch(`${gateway.url}/metrics`)).text()), 'gateway')
  const counts = await Promise.all(lanes.map((_, index) => city.count(no + index)))
  return {
    resident: `${reasons.join(', then ')}; the others ${[...meanwhile].join()}, meanwhile and after`,
    spool: await spoolOf([gateway]),
    ledger: fares(counts)
  }
}

/* ---- cards on the list ---- */

/** A lane that blocks listed cards on their chips; these are listed, and nobody else taps them. */
async function blocking ({ city, lane, name }: Scene, cards: readonly number[]): Promise<Running> {
  await city.door.ok('registrar', 'POST', '/v1/blacklist', {
    add: cards.map(no => ({ card: cardOf(no), reason: 'fraud', at: '2026-03-02T07:00:00+08:00' })), remove: []
  })
  const gateway = await city.gateway(name, [lane], { lane: { blockListed: 'temporary' } })
  await gateway.post('/v1/parameters/refresh', {})
  return gateway
}

/** As they lie on disk: open while nobody knows what the chip did, untold until the ledger has heard. */
function blocksIn ({ spoolDir }: Running): { open: number, untold: number } {
  const dir = join(spoolDir, 'blocks')
  const blocks = new Map<string, string | null>()
  const entries = readdirSync(dir).flatMap(file => entriesOf(readFileSync(join(dir, file))))
  for (const { payload } of entries) {
    const { block, told } = payload as unknown as
      { readonly block?: { readonly card: CardRef, readonly outcome: string | null }, readonly told?: string }
    if (block !== undefined) blocks.set(cardKey(block.card), block.outcome)
    if (told !== undefined) blocks.delete(told)
  }
  const untold = [...blocks.values()].filter(outcome => outcome !== null).length
  return { open: blocks.size - untold, untold }
}

function inBook (gateway: Running): number {
  const { open, untold } = blocksIn(gateway)
  return open + untold
}

async function blocksTold (gateway: Running): Promise<void> {
  while (blocksIn(gateway).untold > 0) await delay(10)
}

/** What the ledger has of the chips of these cards, and of their money. */
async function blocked ({ city }: Scene, cards: readonly number[], gateway: string): Promise<string> {
  const ends = cards.map(no => `${String(no).padStart(4, '0')}-1`)
  const count = async (state: string) => {
    const { items } = await city.door.ok('clerk', 'GET', `/v1/card-blocks?state=${state}&limit=1000`) as
      { items: { card: string }[] }
    return items.filter(({ card }) => ends.some(end => card.endsWith(end))).length
  }
  const counts = await Promise.all(cards.map(no => city.count(no)))
  const locks = await Promise.all(cards.map(async no =>
    (await city.farmOf(lanes[0] ?? '').inspectCard({ chip: await city.chip(no) })).lock))
  const unlocked = locks.filter(lock => lock !== 'temporary').length
  if (unlocked > 0) throw new Error(`${gateway}: ${unlocked} chips are not blocked`)
  const open = await count('open')
  const done = `${await count('blocked')} of ${cards.length} blocked${open === 0 ? '' : `, ${open} open`}`
  return `${done}; ${fares(counts)}`
}

/* ---- the table ---- */

t.test('every row is shown, and every story is in the table', async t => {
  const own = faults.flatMap(([, rows]) => rows).filter(row => row.shown === undefined)
  t.strictSame(own.map(row => row.fault).sort(),
    [...Object.keys(stories), ...Object.keys(tillStories), hung].sort())
  for (const { fault, shown = [] } of faults.flatMap(([, rows]) => rows)) {
    for (const [file, title] of shown) {
      const source = readFileSync(join(import.meta.dirname, '..', file), 'utf8')
      t.ok(source.includes(`test('${title}`), `${fault}: ${file}, ${title}`)
    }
  }
  const page = readFileSync(join(import.meta.dirname, '../docs/faults.md'), 'utf8')
  t.equal(page, faultsPage(), 'docs/faults.md')
})

t.test('the table', { skip: whyNoFarm() ?? false, timeout: 300_000 }, async t => {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const city = await openCity(t, doors, lanes)
  const rows = faults.flatMap(([, rows]) => rows)
    .filter(row => row.fault === hung || stories[row.fault] !== undefined)
  let no = 0
  const tell = async (row: typeof rows[number], lane: string, story = stories[row.fault]) => {
    const scene: Scene = { t, city, lane, name: `GW-${no}`, no }
    no += 1 // the row of many cards comes last
    const { resident, spool, ledger } = row
    const told = await story?.(scene)
    await city.rest(scene.name)
    t.strictSame(told, { resident, spool, ledger }, row.fault)
  }
  const waiting = rows.filter(row => row.fault !== hung)
  await Promise.all(lanes.slice(0, beside).map(async lane => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) await tell(row, lane)
  }))
  for (const row of rows.filter(row => row.fault === hung)) await tell(row, '', hungCard)
  t.strictSame(doors.mismatches(), [])
})

const noPty = whyNoPty()
t.test('the table, at tills, card terminals and self-checks', {
  ...noPty === null ? {} : { skip: noPty }, timeout: 300_000
}, async t => {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const shop = await openShop(t, doors)
  const rows = faults.flatMap(([, rows]) => rows)
  for (const [no, [fault, story]] of Object.entries(tillStories).entries()) {
    const { resident, spool, ledger } = rows.find(row => row.fault === fault) ?? {}
    t.strictSame(await story(shop, no), { resident, spool, ledger }, fault)
  }
  const page = await (await fetch(`${shop.gateway.child.ready.url}/metrics`)).text()
  holdMetrics(t, parse(page), 'gateway')
  const { depth, openIntents } = await shop.gateway.get<{ depth: number, openIntents: number }>('/v1/spool')
  t.strictSame({ depth, openIntents }, { depth: 0, openIntents: 0 })
  t.strictSame((await verifyBooks(shop.city.door.db)).checks.filter(({ ok }) => !ok), [])
  t.strictSame(doors.mismatches(), [])
})

/* ---- what is seen ---- */

/** A silent ledger is given up soon. */
const hasty = { lingerMs: 0, retryMs: 20, retryMaxMs: 100, tryTimeoutMs: 1_000 }

/** One gateway after the other on one spool counts once: what lies there is all that was ever written. */
async function seen ({ city, no }: Scene, reasons: readonly string[], gateways: Running[]): Promise<Seen> {
  return {
    resident: new Set(reasons).size === 1 && reasons.length > 2 ? reasons[0] ?? '' : reasons.join(', '),
    spool: await spoolOf(gateways),
    ledger: fares([await city.count(no)])
  }
}

function fares (counts: Awaited<ReturnType<City['count']>>[]): string {
  const sum = (of: 'paid' | 'booked' | 'open') => counts.reduce((total, one) => total + one[of], 0)
  const open = sum('open') === 0 ? '' : `, ${sum('open')} open`
  return `${sum('booked')} of ${sum('paid')} fares${open}`
}

/** Records on disk, as they were written; nothing may be left open or undelivered. */
async function spoolOf (gateways: readonly Running[]): Promise<string> {
  const records: boolean[] = []
  for (const { spoolDir, get } of gateways) {
    const { depth, openIntents } = await get<{ depth: number, openIntents: number }>('/v1/spool')
    if (depth + openIntents > 0) return `${depth} not delivered, ${openIntents} open`
    const dir = join(spoolDir, 'segments')
    for (const entry of readdirSync(dir).flatMap(file => entriesOf(readFileSync(join(dir, file))))) {
      if (entry.type === 'record') records.push(entry.payload.record.grey)
    }
  }
  const grey = records.filter(Boolean).length
  const parts = [`${records.length - grey} whole`, ...grey === 0 ? [] : [`${grey} grey`]]
  return parts.join(', ')
}

/* ---- disks that fail ---- */

/** Four megabytes, so that a test can fill it. */
function mountSmallDisk (t: Test, dir: string): void {
  mkdirSync(dir)
  asRoot('mount', '-t', 'tmpfs', '-o', `size=4m,mode=0700,uid=${process.getuid?.() ?? 0}`, 'edge', dir)
  t.teardown(() => asRoot('umount', '-l', dir))
}

function asRoot (command: string, ...args: readonly string[]): void {
  const root = process.getuid?.() === 0
  execFileSync(root ? command : 'sudo', root ? [...args] : [command, ...args])
}

/** From now on no file of the process may grow beyond the spool's: the kernel refuses (setrlimit(2)). */
function refuseBytes ({ spoolDir, child }: Running): void {
  const dir = join(spoolDir, 'segments')
  const bytes = Math.max(...readdirSync(dir).map(file => statSync(join(dir, file)).size))
  execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}`])
}
