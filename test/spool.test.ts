// The spool: what it has promised is there after power was cut at any byte, after kill -9, after any order of
// events.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import t from 'tap'
import { crc32c } from '../gateway/spool/crc32c.ts'
import { directoryLayer } from '../gateway/spool/files.ts'
import { cutFrame, encodeFrame } from '../gateway/spool/frame.ts'
import { lockDirectory } from '../gateway/spool/lock.ts'
import { SpoolDamagedError, entriesOf } from '../gateway/spool/recover.ts'
import { SpoolFailedError } from '../gateway/spool/segment-log.ts'
import { segmentsOf } from '../gateway/spool/segments.ts'
import { type Spool, openSpool } from '../gateway/spool/spool.ts'
import { chargesMax, type VoidReason } from '../gateway/spool/state.ts'
import { manualClock, systemClock } from '../runtime/clock.ts'
import { killPointFor } from '../runtime/kill-point.ts'
import { type TransactionRecord, cardKey } from '../schemas/record.ts'
import {
  type Image, type Operation, type RecordingDisk, imageAfterPowerCut, powerCuts, recordingDisk
} from './support/recording-disk.ts'
import { recordOf } from './support/taps.ts'

const morningMs = Date.parse('2026-03-02T08:00:00+08:00')
const dayMs = 86_400_000
const small = { segmentBytesMax: 1_500, freeBytesMin: 0 }
const openOn = (files: RecordingDisk, clock = manualClock(morningMs), limits = {}) =>
  openSpool({ files, clock, limits: { ...small, ...limits } })

/** One whole tap; what the spool promised on the way goes to `promise`. */
async function tap (
  spool: Spool, terminal: string, serial: number, promise: (one: Promised) => void = () => undefined,
  ending: Ending = 'paid'
): Promise<number> {
  const recordNo = spool.nextRecordNo({ operator: 'BUS', terminal })
  const grey = recordOf({ terminal, recordNo, serial })
  const card = cardKey(grey.card)
  const intent = await spool.intent({ record: grey, lane: terminal, mac1: 'AABBCCDD' })
  promise({ kind: 'intent', sequence: intent, card, terminal, recordNo })
  if (ending === 'killed') return intent
  if (ending !== 'torn') promise({ kind: 'closing', sequence: intent })
  if (ending === 'refused') return spool.void({ intent, card, why: 'refused_by_card' })
  const record: TransactionRecord = ending === 'torn' ? grey : { ...grey, grey: false, tac: '01020304' }
  const sequence = await spool.record({ intent, lane: terminal, record, settled: ending === 'paid' })
  promise({ kind: 'record', sequence, content: JSON.stringify(record) })
  return sequence
}
type Ending = 'paid' | 'torn' | 'refused' | 'killed'
type Promised =
  | { kind: 'intent', sequence: number, card: string, terminal: string, recordNo: number }
  | { kind: 'closing', sequence: number }
  | { kind: 'record', sequence: number, content: string }
  | { kind: 'batch', delivery: string, from: number, to: number }
  | { kind: 'answering' | 'answered' }

type Range = { from: number, to: number }
/** All records in the spool, through the same door as a redelivery. */
const allRecords = (spool: Spool) =>
  spool.recordsOf({ delivery: 'look', from: 1, to: Number.MAX_SAFE_INTEGER, count: 1e6, redelivery: false })

/** The power cuts take 10 s on a machine that does nothing else. */
t.setTimeout(240_000)

t.test('checksum: the published value of RFC 3720 B.4 and the check value of the catalogue', async t => {
  t.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa, '32 bytes of zeros')
  t.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43, '32 bytes of ones')
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
})

t.test('frame: whole or nothing, at every cut and for every flipped bit', async t => {
  const payload = Buffer.from('{"amountFen":180}')
  const whole = encodeFrame({ type: 'intent', sequence: 7, durable: 6, payload })
  const frame = { type: 'intent', sequence: 7, durable: 6, payload }
  t.match(cutFrame(whole, 0), { frame, end: whole.length })
  for (let cut = 0; cut < whole.length; cut++) {
    if (cutFrame(whole.subarray(0, cut), 0) !== null) t.fail(`a frame at cut ${cut}`)
  }
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const hurt = Buffer.from(whole)
    hurt.writeUInt8((hurt[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3)
    if (cutFrame(hurt, 0) !== null) t.fail(`bit ${bit} flipped unnoticed`)
  }
})

t.test('power cut at every byte of a busy minute', async t => {
  const disk = recordingDisk()
  const promise = (one: Promised) => disk.operations.push({ kind: 'promise', promise: one })
  const spool = await openOn(disk)
  await Promise.all([
    tap(spool, 'A', 1, promise), tap(spool, 'B', 2, promise), tap(spool, 'C', 3, promise, 'torn')
  ])
  const first = await spool.nextBatch(2, () => 'GW1-first')
  promise({ kind: 'batch', delivery: 'GW1-first', from: first?.from ?? 0, to: first?.to ?? 0 })
  await Promise.all([tap(spool, 'A', 4, promise, 'killed'), tap(spool, 'B', 5, promise, 'refused')])
  promise({ kind: 'answering' })
  await spool.ack('GW1-first')
  promise({ kind: 'answered' })
  await tap(spool, 'B', 6, promise)
  const second = await spool.nextBatch(5, () => 'GW1-second')
  promise({ kind: 'batch', delivery: 'GW1-second', from: second?.from ?? 0, to: second?.to ?? 0 })
  await Promise.all([tap(spool, 'A', 7, promise), tap(spool, 'B', 8, promise)])
  await spool.close()
  t.ok(segmentsOf(disk).length >= 3, 'the minute spans several segments')

  let cuts = 0
  for (const { cut, byte, image } of powerCuts(disk.operations)) {
    const complaint = await complaintAfter(image, disk, cut)
    const at = `${disk.operations[cut]?.kind ?? 'end'} ${cut}, byte ${byte}`
    if (complaint !== null) return t.fail(`${at}: ${complaint}`)
    cuts += 1
  }
  t.ok(cuts > 10_000, `${cuts} power cuts`)
})

/** Opens what a power cut left and compares it with what was promised before; null when all is well. */
async function complaintAfter (image: Image, disk: RecordingDisk, cut: number): Promise<string | null> {
  const promised = promisesIn(disk.operations.slice(0, cut))
  const records = promisesIn(disk.operations).filter(one => one.kind === 'record')
  const submitted = new Set(records.map(one => one.content))
  const left = recordingDisk(image)
  let spool: Spool
  try {
    spool = await openOn(left)
  } catch (error) {
    return `does not open: ${(error as Error).message}`
  }
  const batches = promised.filter(one => one.kind === 'batch')
  const answered = promised.filter(one => one.kind === 'answering').length
  return complaintOf(spool, promised, submitted) ??
    await complaintOfWork(spool, left, batches[answered]?.delivery)
}

const promisesIn = (operations: readonly Operation[]): Promised[] =>
  operations.flatMap(one => one.kind === 'promise' ? [one.promise as Promised] : [])

function complaintOf (spool: Spool, promised: readonly Promised[], submitted: ReadonlySet<string>) {
  const records = new Map(allRecords(spool).map(one => [one.sequence, JSON.stringify(one.record)]))
  const open = new Set(spool.openIntents().map(one => one.sequence))
  const closing = new Set(promised.flatMap(one => one.kind === 'closing' ? [one.sequence] : []))
  for (const one of promised) {
    if (one.kind === 'record' && records.get(one.sequence) !== one.content) return `no record ${one.sequence}`
    if (one.kind !== 'intent') continue
    if (!closing.has(one.sequence) && !open.has(one.sequence)) return `intent ${one.sequence} is lost`
    const { terminal, recordNo } = one
    if (spool.nextRecordNo({ operator: 'BUS', terminal }) <= recordNo) return `${recordNo} would come twice`
  }
  const invented = [...records.values()].find(content => !submitted.has(content))
  if (invented !== undefined) return `a record nobody wrote: ${invented}`
  const { depth, delivered } = spool.status()
  const sum = depth + delivered
  if (sum !== records.size) return `of ${records.size} records ${depth} wait, ${delivered} are delivered`
  const answered = promised.some(one => one.kind === 'answered')
  return answered && delivered !== 2 ? `an answered delivery of 2 is forgotten, ${delivered} delivered` : null
}

/** A repaired spool must also take new work, keep it, and open again. */
async function complaintOfWork (spool: Spool, disk: RecordingDisk, unanswered: string | undefined) {
  const batch = await spool.nextBatch(100, () => 'GW1-after')
  if (unanswered !== undefined && batch?.delivery !== unanswered) return `${unanswered} would get another id`
  const waiting = spool.status().depth
  if (batch?.delivery === 'GW1-after' && batch.count !== waiting) return `${batch.count} of ${waiting} go out`
  const sequence = await tap(spool, 'D', 99)
  const again = await openOn(recordingDisk(disk.image))
  return allRecords(again).some(one => one.sequence === sequence) ? null : 'a record after the repair is lost'
}

t.test('the id of an unanswered delivery survives a restart', async t => {
  const disk = recordingDisk()
  const spool = await openOn(disk)
  for (const serial of [1, 2, 3]) await tap(spool, 'A', serial)
  const batch = await spool.nextBatch(2, () => 'GW1-0001')
  await spool.close()
  const again = await openOn(recordingDisk(disk.image))
  t.same(await again.nextBatch(500, () => 'GW1-0002'), batch, 'same id, same records')
  await again.ack('GW1-0001')
  t.match(await again.nextBatch(500, () => 'GW1-0002'), { delivery: 'GW1-0002', count: 1 })
  t.equal(again.status().delivered, 2)
})

t.test('damage is told apart from a torn tail', async t => {
  const disk = recordingDisk()
  const spool = await openOn(disk, manualClock(morningMs), { segmentBytesMax: 1e6 })
  for (const serial of [1, 2, 3]) await tap(spool, 'A', serial)
  const [name = '', content = Buffer.alloc(0)] = [...disk.image][0] ?? []
  const flip = (at: number) => {
    const hurt = Buffer.from(content)
    hurt.writeUInt8((hurt[at] ?? 0) ^ 0x10, at)
    return openOn(recordingDisk(new Map([[name, hurt]])))
  }
  await t.rejects(flip(600), SpoolDamagedError)
  await t.rejects(flip(600), new RegExp(`${name}: damaged at byte \\d+`), 'names the place')
  const torn = await flip(content.length - 10)
  t.equal(allRecords(torn).length, 2, 'nothing after the last entry vouches for it: a torn tail')
  t.equal(torn.status().openIntents, 1, 'the card of the third tap is expected back')
  t.ok(torn.status().tornBytes > 0)
})

t.test('a damaged place in an old segment is told and stepped over', async t => {
  const disk = recordingDisk()
  const spool = await openOn(disk)
  for (const serial of [1, 2, 3, 4, 5, 6]) await tap(spool, 'A', serial)
  const [oldest] = segmentsOf(disk)
  const bytes = disk.image.get(oldest?.name ?? '') ?? Buffer.alloc(0)
  bytes.writeUInt8((bytes[700] ?? 0) ^ 1, 700)
  const damage: string[] = []
  const again = await openSpool({
    files: recordingDisk(disk.image), clock: manualClock(morningMs), limits: small,
    onDamage: (segment, offset) => { damage.push(`${segment}@${offset}`) }
  })
  const batch = await again.nextBatch(100, () => 'GW1-0001')
  t.ok((batch?.count ?? 0) >= 5, `${batch?.count} of 6 records reach the ledger`)
  t.equal(damage.length, 1)
  t.match(damage[0], new RegExp(`^${oldest?.name}@\\d+`))
})

t.test('whoever follows the spool reads what is new, not its file from the beginning', async t => {
  const disk = recordingDisk()
  let readBytes = 0
  const counting = {
    ...disk,
    read: (name: string, offset: number, length: number) => {
      const bytes = disk.read(name, offset, length)
      readBytes += bytes.length
      return bytes
    }
  }
  const limits = { segmentBytesMax: 1e6, freeBytesMin: 0 }
  const spool = await openSpool({ files: counting, clock: manualClock(morningMs), limits })
  const spent: number[] = []
  for (let serial = 1; serial <= 200; serial++) {
    const name = segmentsOf(disk)[0]?.name ?? ''
    const [sizeBefore, readBefore] = [disk.sizeOf(name), readBytes]
    await tap(spool, 'A', serial)
    t.equal(spool.status().oldestAtMs, morningMs)
    const batch = await spool.nextBatch(5_000, () => `GW1-${1_000 + serial}`)
    t.equal(batch === null ? 0 : spool.recordsOf(batch).length, 1)
    await spool.ack(batch?.delivery ?? '')
    spent.push((readBytes - readBefore) / (disk.sizeOf(name) - sizeBefore))
  }
  t.equal(segmentsOf(disk).length, 1, 'one file all the way')
  const most = Math.max(...spent)
  t.ok(most < 4, `each is read three times: at most ${most.toFixed(1)}`)
})

t.test('one flush serves all lanes that wait, two flushes serve a tap', async t => {
  const disk = recordingDisk()
  const spool = await openOn(disk, manualClock(morningMs), { segmentBytesMax: 1e6 })
  const before = spool.status().flushes
  await tap(spool, 'A', 1)
  t.equal(spool.status().flushes - before, 2, 'alone: intent and record')
  const lanes = Array.from({ length: 14 }, (_, lane) => String.fromCharCode(65 + lane))
  await Promise.all(lanes.map(lane => tap(spool, lane, 2)))
  t.equal(spool.status().flushes - before, 4, 'fourteen lanes at once: two more')
})

t.test('limits: warns, then refuses and says why', async t => {
  const disk = recordingDisk()
  const limits = { highWaterRecords: 2, recordsMax: 3, freeBytesMin: 1_000 }
  const spool = await openOn(disk, manualClock(morningMs), limits)
  const seen: string[] = []
  for (const serial of [1, 2, 3]) {
    await tap(spool, 'A', serial)
    seen.push(`record ${serial}: high water ${spool.status().highWater}, refusal ${spool.refusal()}`)
  }
  t.same(seen, [
    'record 1: high water false, refusal null',
    'record 2: high water true, refusal null',
    'record 3: high water true, refusal spool_full'
  ])
  await spool.nextBatch(1, () => 'GW1-0001')
  await spool.ack('GW1-0001')
  t.equal(spool.refusal(), null, 'a delivery makes room')
  disk.free = 999
  t.equal(spool.refusal(), 'spool_full', 'so does the disk')
})

t.test('a flush that fails ends all work: nobody knows what is on disk', async t => {
  const disk = recordingDisk()
  const spool = await openOn(disk)
  disk.failSync = new Error('EIO')
  await t.rejects(tap(spool, 'A', 1), SpoolFailedError)
  disk.failSync = null
  await t.rejects(tap(spool, 'A', 1), SpoolFailedError)
  t.equal(spool.refusal(), 'spool_failed')
})

t.test('redeliver: everything since an instant, in order, as far as it is kept', async t => {
  const disk = recordingDisk()
  const clock = manualClock(morningMs)
  const spool = await openOn(disk, clock)
  for (let day = 0; day < 40; day++) {
    clock.set(morningMs + day * dayMs)
    await tap(spool, 'A', day)
    const batch = await spool.nextBatch(10, () => `GW1-day-${day}`)
    await spool.ack(batch?.delivery ?? '')
  }
  const kept = allRecords(spool).map(one => (one.atMs - morningMs) / dayMs)
  t.ok((kept[0] ?? 99) <= 9, `30 days are kept: the oldest is of day ${kept[0]}`)
  t.ok((kept[0] ?? 0) > 0, 'older ones went with their segments')

  await spool.redeliver(morningMs + 35 * dayMs)
  const days: number[] = []
  for (;;) {
    const batch = await spool.nextBatch(2, nextId)
    if (batch === null) break
    t.equal(batch.redelivery, true)
    days.push(...spool.recordsOf(batch).map(one => (one.atMs - morningMs) / dayMs))
    await spool.ack(batch.delivery)
  }
  t.same(days, [35, 36, 37, 38, 39])
  t.equal(spool.status().depth, 0)
  t.equal(spool.status().redelivering, false)
  t.equal(await spool.redeliver(morningMs + 99 * dayMs), null, 'nothing since tomorrow')
})

t.test('a blamed batch is split, its single record parked, and a redelivery takes it up again', async t => {
  const spool = await openOn(recordingDisk())
  for (const serial of [1, 2, 3]) await tap(spool, 'A', serial)
  const batch = await spool.nextBatch(3, () => 'GW1-0001')
  t.ok(batch !== null)
  if (batch === null) return
  const half = await spool.splitBatch(batch, 1, 'GW1-0002')
  t.match(half, { delivery: 'GW1-0002', from: batch.from, count: 1 })
  await spool.park('GW1-0002', 'body_invalid')
  t.match(spool.status(), { depth: 2, parked: [{ delivery: 'GW1-0002', why: 'body_invalid' }] })
  t.match(await spool.nextBatch(3, () => 'GW1-0003'), { count: 2 }, 'the rest goes on')
  await spool.ack('GW1-0003')
  await spool.redeliver(0)
  t.equal(spool.status().parked.length, 0)
  t.match(await spool.nextBatch(9, () => 'GW1-0004'), { count: 3, redelivery: true })
})

t.test('what a till asked for is known by its reference, over every restart', async t => {
  const disk = recordingDisk()
  const clock = manualClock(morningMs)
  const rows = `
    intent                       -> unknown torn
    intent torn                  -> unknown torn
    intent paid                  -> approved paid
    intent torn paid             -> approved paid_before
    intent not_debited           -> nothing
    intent refused_by_card       -> nothing
    intent torn unprovable       -> unknown torn
    intent torn expired          -> unknown torn
    intent paid mac2_wrong       -> unknown mac2_wrong
    intent paid reopen           -> unknown psam_lost
    intent paid reopen confirmed -> approved paid_before`.trim().split('\n').map(row => row.split('->'))
  const expected = rows.map(([, known = '']) => known.trim())
  const spool = await openOn(disk, clock)
  const told = (spool: Spool) => rows.map((_, no) => {
    const known = spool.charge('SHOP', `bill ${no}`)
    return known === undefined ? 'nothing' : `${known.state} ${known.reason}`
  })
  for (const [no, [steps = '']] of rows.entries()) {
    const grey = recordOf({ terminal: 'SHOP', recordNo: no + 1, serial: no })
    const card = cardKey(grey.card)
    const whole: TransactionRecord = { ...grey, grey: false, tac: '01020304' }
    const mac1 = 'AABBCCDD'
    const named = { lane: 'SHOP', reference: `bill ${no}` }
    let intent = 0
    for (const step of steps.trim().split(' ')) {
      if (step === 'intent') intent = await spool.intent({ record: grey, mac1, ...named })
      else if (step === 'torn') await spool.record({ intent, lane: 'SHOP', record: grey, settled: false })
      else if (step === 'paid') await spool.record({ intent, lane: 'SHOP', record: whole, settled: true })
      else if (step === 'reopen') {
        await spool.reopen({ ...named, record: whole, mac1, sequence: intent, atMs: morningMs, told: true })
      } else await spool.void({ intent, card, why: step as VoidReason })
    }
  }
  t.strictSame(told(spool), expected)
  t.match(spool.charge('SHOP', 'bill 2'), { amountFen: 180 })
  t.equal(spool.charge('CAFE', 'bill 2'), undefined, 'references are of one till')
  t.strictSame(told(await openOn(recordingDisk(disk.image), clock)), expected, 'after a restart')
  for (let no = 100; segmentsOf(disk).length < 8; no++) await tap(spool, 'BUS', no)
  t.strictSame(told(await openOn(recordingDisk(disk.image), clock)), expected, 'from a snapshot')
  await spool.close()
})

t.test('the newest references are remembered, and segments grow with what each begins with', async t => {
  const disk = recordingDisk()
  const spool = await openOn(disk)
  for (let no = 1; no <= chargesMax + 10; no++) {
    const record = recordOf({ terminal: 'SHOP', recordNo: no, serial: no })
    const intent = await spool.intent({ record, lane: 'SHOP', mac1: 'AABBCCDD', reference: `bill ${no}` })
    const whole = { ...record, grey: false, tac: '01020304' }
    await spool.record({ intent, lane: 'SHOP', record: whole, settled: true })
  }
  t.equal(spool.charge('SHOP', 'bill 10'), undefined)
  t.match(spool.charge('SHOP', 'bill 11'), { state: 'approved' })
  const segments = segmentsOf(disk)
  const bytes = segments.reduce((sum, { name }) => sum + disk.sizeOf(name), 0)
  t.ok(bytes < 3 * 2 * 800 * chargesMax, `${segments.length} segments, ${bytes} bytes`)
  await spool.close()
})

t.test('a redelivery reaches back to the instant, though the clock was set back since', async t => {
  const clock = manualClock(morningMs)
  const disk = recordingDisk()
  const spool = await openOn(disk, clock, { segmentBytesMax: 1_000 })
  const hourMs = 3_600_000
  /** Hours at which records are kept, in their order. */
  const hours = [8, 9, 10, 11, 12, 9, 9.5, 10, 8, 8.5, 13]
  for (const [no, hour] of hours.entries()) {
    clock.set(morningMs + (hour - 8) * hourMs)
    await tap(spool, 'A', no)
  }
  t.ok(segmentsOf(disk).length > 4, 'over several segments')
  await spool.nextBatch(100, () => 'GW1-0001')
  await spool.ack('GW1-0001')
  for (const [since, first] of [[8, 0], [9.2, 2], [10.5, 3], [11.5, 4], [12.5, 10]] as const) {
    const range = await spool.redeliver(morningMs + (since - 8) * hourMs)
    const records = spool.recordsOf({ delivery: '', redelivery: true, count: 99, ...range as Range })
    const numbers = records.map(one => one.record.recordNo)
    t.same(numbers, hours.map((_, no) => no + 1).slice(first), `since ${since}`)
  }
  t.equal(await spool.redeliver(morningMs + 6 * hourMs), null)
  await spool.close()
})

t.test('cards that never return are forgotten by age and by number, told ones only', async t => {
  const clock = manualClock(morningMs)
  const spool = await openOn(recordingDisk(), clock, { openMax: 3, openDays: 7 })
  for (const serial of [1, 2, 3, 4, 5]) await tap(spool, 'A', serial, undefined, 'torn')
  await tap(spool, 'B', 6, undefined, 'killed')
  await tap(spool, 'A', 7)
  await tap(spool, 'A', 8)
  t.equal(spool.openIntents().filter(one => one.told).length, 3, 'the three newest')
  clock.advance(8 * dayMs)
  for (const serial of [10, 11, 12]) await tap(spool, 'A', serial)
  t.same(spool.openIntents().map(one => one.told), [false], 'a grey record must have been told first')
})

t.test('any order of events, any crash: the books of the spool agree', async t => {
  const step = fc.record({
    what: fc.constantFrom<Ending | 'send' | 'answer' | 'park' | 'redeliver' | 'crash'>(
      'paid', 'paid', 'paid', 'torn', 'refused', 'killed', 'send', 'answer', 'park', 'redeliver', 'crash'),
    lane: fc.constantFrom('A', 'B', 'C'),
    count: fc.integer({ min: 1, max: 4 })
  })
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
  const once = (what: Step['what']): Step => ({ what, lane: 'A', count: 1 })
  /** Histories that once went wrong. */
  const kept: Step[][] = [
    // A redelivery took along what had never been delivered: the record was parked and still waited.
    [once('send'), once('paid'), once('redeliver'), once('send'), once('park')]
  ]
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
    let disk = recordingDisk()
    let spool = await openOn(disk)
    const written: string[] = []
    let serial = 0
    let deliveries = 0
    for (const { what, lane, count } of steps) {
      if (what === 'crash') {
        disk = recordingDisk(imageAfterPowerCut(disk.operations, disk.operations.length, 0, 'none'))
        // Whatever the first life left is synced from the second one's point of view.
        for (const [name, bytes] of disk.image) {
          disk.operations.push({ kind: 'create', name }, { kind: 'append', name, bytes })
          disk.operations.push({ kind: 'sync', name })
        }
        disk.operations.push({ kind: 'syncNames' })
        spool = await openOn(disk)
      } else if (what === 'send') await spool.nextBatch(count, () => `GW1-${++deliveries}`)
      else if (what === 'answer') await spool.ack(`GW1-${deliveries}`)
      else if (what === 'park') await spool.park(`GW1-${deliveries}`, 'test')
      else if (what === 'redeliver') await spool.redeliver(0)
      else {
        const note = (one: Promised) => { if (one.kind === 'record') written.push(one.content) }
        await Promise.all(Array.from({ length: count }, () => tap(spool, lane, ++serial, note, what)))
      }
    }
    const found = allRecords(spool)
    const { depth, parked } = spool.status()
    const inSpool = new Set(found.map(one => JSON.stringify(one.record)))
    return written.every(content => inSpool.has(content)) && inSpool.size === written.length &&
      found.every((one, index) => index === 0 || one.sequence > (found[index - 1]?.sequence ?? 0)) &&
      depth >= 0 && depth + parked.length <= written.length
  }), { numRuns: 150, examples: kept.map(steps => [steps]) })
})

t.test('kill -9 of a process in full work, five times on one directory', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'spool-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const records = new Map<number, string>()
  const intents = new Map<number, string>()
  const numbers: string[] = []
  for (let round = 1; round <= 5; round++) {
    const writer = join(import.meta.dirname, 'support/spool-writer.ts')
    const child = spawn(process.execPath, ['runtime/start.mjs', writer, dir, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    let lines = 0
    for await (const line of createInterface({ input: child.stdout })) {
      const said = JSON.parse(line) as Said
      if (said.record !== undefined) records.set(said.record, said.content ?? '')
      if (said.intent !== undefined) {
        intents.set(said.intent, said.card ?? '')
        numbers.push(`${said.terminal}/${said.recordNo}`)
      }
      if (++lines === 100 + round * 37) child.kill('SIGKILL')
    }
    const spool = await openSpool({ files: directoryLayer(dir), clock: systemClock })
    const found = new Map(allRecords(spool).map(one => [one.sequence, JSON.stringify(one.record)]))
    for (const [sequence, content] of records) {
      if (found.get(sequence) !== content) t.fail(`round ${round}: record ${sequence} is lost`)
    }
    await spool.close()
  }
  t.equal(new Set(numbers).size, numbers.length, 'no record number was given twice')
  t.ok(records.size >= 500, `${records.size} records were promised and found`)
  const last = readdirSync(dir).filter(name => name.endsWith('.spool')).sort().at(-1) ?? ''
  t.equal(entriesOf(readFileSync(join(dir, last)))[0]?.type, 'state', 'a segment begins with a snapshot')
})

t.test('one process at a time', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'spool-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const release = lockDirectory(dir)
  t.throws(() => lockDirectory(dir), new RegExp(`in use by process ${process.pid}; stop that gateway`))
  release()
  writeFileSync(join(dir, 'lock'), '999999 1\n')
  lockDirectory(dir)()
  t.same(readdirSync(dir), [], 'the lock of a process that is gone is taken over')
})

t.test('kill point: the nth pass of the named place, nothing else', async t => {
  let deaths = 0
  const pass = killPointFor('after-intent:2', () => { deaths += 1 })
  pass('after-record')
  pass('after-intent')
  t.equal(deaths, 0)
  pass('after-intent')
  t.equal(deaths, 1)
  killPointFor(undefined, () => t.fail('not armed'))('after-intent')
  t.throws(() => killPointFor('After Intent', () => undefined), /NAME or NAME:N/)
})

const nextId = () => `GW1-${idCount++}`
let idCount = 1_000

type Said = {
  intent?: number, record?: number, content?: string, card?: string, terminal?: string, recordNo?: number
}
