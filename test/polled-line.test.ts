// Polled lines: frames and layouts byte by byte, and terminals on one real pseudo terminal: they start, are
// brought clock, prices and blacklist, and give their records, each kept before it is forgotten.
import fc from 'fast-check'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { openChangeBook } from '../gateway/polled/change-book.ts'
import { readRecord } from '../gateway/polled/record.ts'
import { buildPolled, cutPolled } from '../schemas/polled/frame.ts'
import {
  layoutBytes, parametersLayout, readLayout, recordLayout, statusLayout, writeLayout
} from '../schemas/polled/messages.ts'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey, type TransactionRecord } from '../schemas/record.ts'
import { whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import { newTerminal, serveLine, type StoredRecord } from '../terminal-sim/polled/terminal.ts'
import { startDoors } from './support/ledger-http.ts'
import { card, debit } from './support/small-city.ts'
import { openCity } from './support/terminals.ts'

const stored = (record: TransactionRecord): StoredRecord => ({
  ...record.card, recordNo: record.recordNo, purse: 2, type: Number.parseInt(record.type, 16),
  counter: record.counter, balanceBeforeFen: record.balanceBeforeFen, amountFen: record.amountFen,
  psam: record.psam, sequence: record.sequence, dateTime: record.dateTime, tac: record.tac ?? '00000000',
  flags: record.grey ? 1 : 0, keyVersion: record.keyVersion, algorithm: record.algorithm, tariffVersion: 0,
  blacklistVersion: 0
})

t.test('frames: by hand, cut at every byte, every bit flipped, any bytes', async t => {
  // 05 + 10 + 02 + A1 + B2 = 16A; 05 ^ 10 ^ 02 ^ A1 ^ B2 = 04
  const frame = buildPolled({ address: 5, code: 0x10, payload: Uint8Array.of(0xa1, 0xb2) })
  t.equal(Buffer.from(frame).toString('hex'), '051002a1b26a04')
  for (let cut = 0; cut < frame.length; cut++) {
    t.equal(cutPolled(frame.subarray(0, cut)), null, `cut at ${cut}`)
  }
  t.match(cutPolled(Buffer.concat([frame, frame])), { ok: true, frame: { address: 5 }, rest: frame })
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const flipped = Buffer.from(frame)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ 1 << (bit & 7)
    t.not(cutPolled(flipped)?.ok, true, `bit ${bit}`)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
    const cut = cutPolled(bytes)
    t.ok(cut === null || !cut.ok || cut.rest.length < bytes.length)
    const read = readLayout(recordLayout, bytes)
    t.ok(read.ok || (read.error.field !== '' && read.error.offset <= bytes.length))
  }), { numRuns: 1_000 })
})

t.test('a record: 67 bytes in the order of the table, and what it becomes', async t => {
  t.equal(layoutBytes(recordLayout), 67)
  t.equal(layoutBytes(statusLayout), 28)
  t.equal(layoutBytes(parametersLayout), 13)
  const record = debit(3, 1, 'B1', { balanceBeforeFen: -800 })
  const bytes = writeLayout(recordLayout, stored(record))
  t.equal(Buffer.from(bytes).toString('hex', 27, 31), 'fffffce0', 'a negative balance')
  const config = { address: 1, operator: 'BUS', terminal: 'B1' }
  t.same(readRecord(bytes, config), { kind: 'record', recordNo: record.recordNo, record })
  const locked = writeLayout(recordLayout, { ...stored(record), type: 0x99 })
  t.match(readRecord(locked, config), { kind: 'lock', recordNo: record.recordNo })
  const torn = readRecord(bytes.subarray(0, 50), config)
  t.match(torn, { kind: 'odd', error: { field: 'dateTime', offset: 45 } })
  const odd = writeLayout(recordLayout, { ...stored(record), counter: 0 })
  t.match(readRecord(odd, config), { kind: 'odd' })
})

t.test('changes of the list: numbered across versions and restarts', async t => {
  const dir = t.testdir()
  const cards = [0, 1, 2, 3].map(number => card(number).card)
  const [a, b, c, d] = cards
  const told = (from: number) => openChangeBook(dir, 1).since(from)?.map(({ serial, on, card: of }) =>
    `${serial}${on ? '+' : '-'}${'abcd'[cards.findIndex(one => one.serial === of.serial)]}`).join(' ')
  if (a === undefined || b === undefined || c === undefined || d === undefined) return
  openChangeBook(dir, 1).follow({ version: 1, cards: [a, b] })
  t.equal(told(0), '1+a 2+b')
  openChangeBook(dir, 1).follow({ version: 2, cards: [b, c] })
  t.equal(told(0), '2+b 3-a 4+c')
  t.equal(told(2), '3-a 4+c')
  t.equal(told(4), '')
  openChangeBook(dir, 1).follow({ version: 5, cards: [c, d] })
  t.equal(told(2), undefined, 'the removal of a is forgotten')
  t.equal(told(3), '4+c 5-b 6+d')
  t.equal(told(9), undefined, 'a terminal of another gateway')
})

const noPty = whyNoPty()
if (noPty !== null) {
  t.comment(noPty)
} else {
  const doors = await startDoors()
  t.teardown(() => doors.stop())

  t.test('four terminals on one line, one silent and one mad; killed, full, and coming back', async t => {
    const city = await openCity(t, doors, { cards: 30 })
    const listed = Array.from({ length: 15 }, (_, number) =>
      ({ card: card(10 + number).card, reason: 'loss', at: '2026-03-02T08:00:00+08:00' }))
    await city.door.ok('registrar', 'POST', '/v1/blacklist', { add: listed, remove: [] })
    const cable = await city.cable('canteen')
    const config = (terminal: string, address: number) => ({ address, operator: 'BUS', terminal })
    const port: PortConfig = {
      port: 'CANTEEN', serial: { path: cable.near, baudRate: 9_600 }, speaks: {
        protocol: 'polled', echoMs: 300, answerMs: 1_000, turnMs: 50, silentMsMax: 400,
        terminals: [config('B1', 1), config('B2', 2), config('B8', 8), config('B9', 9)]
      }
    }
    const terminals = [
      newTerminal(1, '990000000001', '20200101000000'), newTerminal(2, '990000000004', '20260302120000'),
      newTerminal(8, '990000000008', '20260302120000'), newTerminal(9, '990000000009', '20260302120000')
    ] as const
    const [one, two, silent, mad] = terminals
    silent.mood = 'silent'
    mad.mood = 'mad'
    const line = cable.device()
    const serving = serveLine(line, terminals)
    const until = async (what: () => boolean, name: string) => {
      const giveUpAt = performance.now() + 60_000
      while (!what()) {
        if (performance.now() > giveUpAt) throw new Error(`waited in vain: ${name}`)
        await delay(10)
      }
    }
    one.store.records = [1, 2, 3].map(nth => stored(debit(1, nth, 'B1')))
    two.store.records = [stored(debit(2, 1, 'B2')), { ...stored(debit(2, 9, 'B2')), counter: 0 }]
    one.lose['forget'] = 1

    // Killed before the record is on disk, and after it but before the terminal hears of it: given once more.
    for (const killAt of ['polled-before-collect', 'polled-after-collect']) {
      const dying = await city.gateway([port], { killAt })
      t.equal((await dying.lost).signal, 'SIGKILL')
      t.equal(one.store.records.length + two.store.records.length, 5, 'nothing is forgotten yet')
    }

    const gateway = await city.gateway([port])
    await until(() => one.store.records.length === 0 && two.store.records.length === 1, 'records')
    await until(() => [one, two].every(({ store }) => store.blacklistVersion === 1), 'the list')
    t.same([...one.store.list].sort(), listed.map(entry => cardKey(entry.card)).sort())
    t.same([...two.store.list].sort(), [...one.store.list].sort())
    t.ok((one.heard['blacklist'] ?? 0) >= 2, 'fifteen cards take two packets')
    t.match(one.store.clock, /^2026030212/, 'its clock was years behind')
    t.notOk(one.booted)
    await gateway.drained()
    t.same(await city.booked(card(1).card), ['101 180 ok', '102 180 ok', '103 180 ok'])
    t.same(await city.booked(card(2).card), ['101 180 ok'])
    t.equal(two.store.refused, 1, 'what no chip can have done stays where it is, and is not asked for again')

    // A gap: the terminal lost its list, says an old number, and gets the whole.
    two.store.list.clear()
    two.store.blacklistSerial = 4_000
    await until(() => two.store.list.size === 15 && two.store.blacklistVersion === 1, 'the whole list again')
    silent.mood = 'well'
    silent.store.records = [stored(debit(4, 1, 'B2', { terminal: 'B8' }))]
    await until(() => silent.store.records.length === 0, 'the silent one is back')
    const { counts } = await gateway.port('CANTEEN')
    t.match(counts, { odd: 1, kept: 1, collected: 5 })
    t.ok((counts['silent'] ?? 0) > 0 && (counts['garbled'] ?? 0) + (counts['noAnswer'] ?? 0) > 0)
    await gateway.drained()
    await gateway.stop()

    // Killed when the terminal has forgotten: the record is on disk.
    one.store.records = [stored(debit(1, 4, 'B1'))]
    const forgetting = await city.gateway([port], { killAt: 'polled-after-forget' })
    t.equal((await forgetting.lost).signal, 'SIGKILL')
    t.equal(one.store.records.length, 0)
    const after = await city.gateway([port])
    await after.drained()
    t.same(await city.booked(card(1).card), ['101 180 ok', '102 180 ok', '103 180 ok', '104 180 ok'])
    await after.stop()

    // Full: the terminal keeps its record until there is room.
    const full = await city.gateway([port], {
      ledgerUrl: 'http://127.0.0.1:9', config: { spool: { recordsMax: 1 } }
    })
    one.store.records = [stored(debit(5, 1, 'B1')), stored(debit(5, 2, 'B1'))]
    await until(() => one.store.records.length === 1, 'one fits')
    await delay(300)
    t.equal(one.store.records.length, 1, 'the other stays')
    await full.stop()
    const roomy = await city.gateway([port])
    await until(() => one.store.records.length === 0, 'room')
    await roomy.drained()
    t.same(await city.booked(card(5).card), ['101 180 ok', '102 180 ok'])
    await roomy.stop()
    line.close()
    await serving
  })
}
