// Polled lines: frames and layouts byte by byte, and terminals on one real pseudo terminal: they start, are
// brought clock, prices and blacklist, and give their records, each kept before it is forgotten.
import { rmSync } from 'node:fs'
import fc from 'fast-check'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { describe } from '../bin/describe.ts'
import type { EdgeHouse } from '../gateway/face.ts'
import { openChangeBook } from '../gateway/polled/change-book.ts'
import { polledFace } from '../gateway/polled/face.ts'
import { readRecord } from '../gateway/polled/record.ts'
import type { Applied } from '../gateway/terminals/sightings.ts'
import { faresFrom, firstDocument } from '../bench/fares/city.ts'
import { manualClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import type { PolledSpeaks, PolledTerminal } from '../schemas/polled/config.ts'
import { buildPolled, cutPolled } from '../schemas/polled/frame.ts'
import {
  commands, layoutBytes, parametersLayout, readLayout, recordLayout, rideLayout, statusLayout, writeLayout,
  writePacket
} from '../schemas/polled/messages.ts'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey, evidenceHash, type TransactionRecord } from '../schemas/record.ts'
import type { Line } from '../terminal-sim/line/line.ts'
import { whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import {
  type Balk, newTerminal, serveLine, writeRecord
} from '../terminal-sim/polled/terminal.ts'
import { startDoors } from './support/ledger-http.ts'
import { card, debit } from './support/small-city.ts'
import { openCity, storedAtTerminal as stored } from './support/terminals.ts'

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
  const ride = { sense: 1, rider: 2, riders: 3, stop: Buffer.from('解放路').toString('hex').padEnd(64, '0') }
  const onBus = (more: Partial<typeof ride> = {}, at: Partial<PolledTerminal> = {}) => {
    const payload = writeRecord({ ...stored(record), ride: { ...ride, ...more } })
    const told = readRecord(payload, { ...config, ...at })
    return told.kind === 'record' ? told.record.ride : told.kind
  }
  t.equal(layoutBytes(rideLayout), 35)
  t.same(onBus(), { sense: 'in', stop: '解放路', rider: 2, riders: 3 })
  const alone = { sense: 0, rider: 1, riders: 1, stop: '00'.repeat(32) }
  t.same(onBus(alone), { sense: 'either' })
  t.same(onBus(alone, { stop: 'X4', sense: 'out' }), { sense: 'either', stop: 'X4' }, 'where it stands')
  t.same(onBus({ sense: 3 }), 'odd')
  t.same(onBus({ rider: 0 }), 'odd')
  t.match(readRecord(bytes, { ...config, stop: 'X4', sense: 'out' }),
    { record: { ride: { sense: 'out', stop: 'X4' } } }, 'a gate says where it is in its configuration')
  const cut = readRecord(writeRecord({ ...stored(record), ride }).subarray(0, 90), config)
  t.match(cut, { kind: 'odd', error: { field: 'stop', offset: 70 } })
  const torn = readRecord(bytes.subarray(0, 50), config)
  t.match(torn, { kind: 'odd', error: { field: 'dateTime', offset: 45 } })
  const odd = writeLayout(recordLayout, { ...stored(record), counter: 0 })
  t.match(readRecord(odd, config), { kind: 'odd' })
})

t.test('a dump in words, cards masked', async t => {
  const record = debit(1, 1, 'B1')
  const frame = (code: number, payload: Uint8Array) => buildPolled({ address: 5, code, payload })
  const said = (...parts: Uint8Array[]) => {
    const { title, rows } = describe(Buffer.concat(parts).toString('hex'), 'polled')
    const words = [title, ...rows.map(row => row.join(': '))].join('\n')
    t.notMatch(words, new RegExp(record.card.serial))
    return words
  }
  t.match(said(frame(0x88, writeLayout(recordLayout, stored(record)))),
    /^polled line: 5 done\nrecord no: \d+\nissuer: .*\nserial: 031049\*+\d{4}\n[^]*\namount: 1\.80 yuan\n/)
  const packet = writePacket({ version: 3, before: 0, after: 9, first: true, last: true },
    [{ serial: 9, on: true, card: record.card }])
  t.match(said(frame(commands.blacklist, packet)),
    /^polled line: 5 blacklist\nversion: 3\n[^]*packet: first and last\non the list: 031049\*+\d{4} of issuer/)
  const turn = [
    Uint8Array.of(0x85), Uint8Array.of(0x85), frame(commands.give, Uint8Array.of(0, 0, 0, 7)),
    frame(0x88, new Uint8Array(0))
  ]
  t.equal(said(...turn), 'polled line: poll of 5, poll of 5, 5 give, 5 done\n5 give: record no: 7')
  t.equal(describe(Buffer.concat(turn).toString('hex')).title,
    'polled line: poll of 5, poll of 5, 5 give, 5 done', 'it is known without being told')
  t.throws(() => describe('0510020102FFFF', 'polled'), /no polled line/)
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
  const book = openChangeBook(dir, 1)
  rmSync(dir, { recursive: true })
  t.throws(() => book.follow({ version: 6, cards: [a] }), /ENOENT/)
  t.match({ version: book.version, serial: book.serial }, { version: 5, serial: 6 },
    'no number is told that is not on disk')
})

/* ---- who answers, and what: in this process, with a stranger on the wires ---- */

/** What becomes of each answer of a terminal on its way; it may be kept, changed, or said again. */
type Tamper = (answer: Uint8Array) => readonly Uint8Array[]
const honest: Tamper = answer => [answer]

function lineOf (
  t: Test, config: Partial<PolledTerminal> = {}, at = '2026-03-02T12:00:00+08:00',
  { entries = 2, ...more }: Partial<PolledSpeaks> & { entries?: number } = {},
  given: { changes?: object, parameters?: object } = {}
) {
  const listed = Array.from({ length: entries }, (_, index) =>
    ({ serial: index + 1, on: true, card: card(11 + index).card }))
  const after = (serial: number) => listed.filter(one => one.serial > serial)
  const state = { enrolled: true, tamper: honest }
  const [collected, events]: [TransactionRecord[], string[]] = [[], []]
  const said: { boot?: boolean, clockMs?: number, applied?: readonly Applied[] }[] = []
  const event = (what: string) => (_: unknown, kind: string) => {
    const row = `${what} ${kind}`
    if (what === 'raise' || events.includes(row.replace('clear', 'raise'))) events.push(row)
  }
  const house = {
    log: createLog('polled', { level: 'silent' }), clock: manualClock(Date.parse(at)),
    nowMs: () => performance.now(),
    spool: { refusal: () => null, collect: async (record: TransactionRecord) => { collected.push(record) } },
    changes: {
      version: 1, serial: entries, follow: () => undefined, rest: after, whole: () => listed,
      since: (serial: number) => serial > entries ? null : after(serial), ...given.changes
    },
    parameters: {
      blacklistVersion: () => 1, blacklist: () => null, tariff: () => ({ version: 7, operators: {} }),
      fares: () => [], ...given.parameters
    },
    terminals: {
      find: () => state.enrolled ? { ok: true } : { ok: false, reason: 'terminal_not_enrolled', why: '' },
      heard: (_: unknown, heard: typeof said[number]) => { said.push(heard) },
      raise: event('raise'), clear: event('clear')
    }
  } as unknown as EdgeHouse
  const face = polledFace({
    protocol: 'polled', echoMs: 40, answerMs: 40, turnMs: 1, silentMsMax: 5, ...more,
    terminals: [{ address: 1, operator: 'BUS', terminal: 'B1', ...config }]
  }, house, 'LINE')
  const asked: Uint8Array[] = []
  let wake: () => void = () => undefined
  const line = {
    ended: false,
    read: async () => {
      if (asked.length === 0) await new Promise<void>(resolve => { wake = resolve })
      return asked.shift() ?? null
    },
    write: async (bytes: Uint8Array) => {
      await new Promise(setImmediate) // a wire takes its time
      for (const one of bytes.length === 1 ? [bytes] : state.tamper(bytes)) talk.bytes(one)
    }
  }
  const talk = face.begin({
    name: 'LINE', certificate: null, end: () => undefined,
    write: async bytes => {
      asked.push(bytes)
      wake()
    }
  })
  t.teardown(async () => {
    line.ended = true
    wake()
    await face.close()
  })
  return {
    state, collected, events, said, line: line as unknown as Line, counts: () => face.view().counts,
    until: async (what: () => boolean, name: string) => {
      const giveUpAt = performance.now() + 20_000
      while (!what()) {
        if (performance.now() > giveUpAt) throw new Error(`waited in vain: ${name}`)
        await delay(2)
      }
    }
  }
}

const applies = (kind: Applied['kind']) => ({ applied = [] }: { applied?: readonly Applied[] }): boolean =>
  applied.some(one => one.kind === kind)

const withRecords = (count: number, psam = '990000000001') => {
  const terminal = newTerminal(1, psam, '20260302120000')
  terminal.store.records = Array.from({ length: count }, (_, index) => stored(debit(1, index + 1, 'B1')))
  return terminal
}
const counters = (records: readonly TransactionRecord[]): number[] =>
  [...new Set(records.map(({ counter }) => counter))].sort()

t.test('answers that come late, from elsewhere or again: nothing is believed, lost or doubled', async t => {
  let held: Uint8Array | null = null
  const recorded: Uint8Array[] = []
  /** Addresses are covered by the check bytes: a stranger makes them anew. */
  const readdressed = (bytes: Uint8Array, address: number): Uint8Array => {
    const cut = cutPolled(bytes)
    return cut?.ok === true ? buildPolled({ ...cut.frame, address }) : bytes
  }
  const tampers: Readonly<Record<string, Tamper>> = {
    'each answer one question late': answer => {
      const late = held
      held = answer
      return late === null ? [] : [late]
    },
    'the answer of another address': answer => [readdressed(answer, 2)],
    'its first answer for ever': answer => {
      recorded.push(answer)
      return recorded.slice(0, 1)
    },
    'an old answer in place of each second one': answer => {
      recorded.push(answer)
      return recorded.length % 2 === 0 ? [answer] : [recorded[recorded.length * 5 % 11] ?? answer]
    },
    'done, whatever was asked': () => [buildPolled({ address: 1, code: 0x88, payload: new Uint8Array() })]
  }
  for (const [name, tamper] of Object.entries(tampers)) {
    const terminal = withRecords(4)
    const { line, state, collected, until, counts } = lineOf(t)
    state.tamper = tamper
    held = null
    recorded.length = 0
    void serveLine(line, [terminal])
    const told = () => Object.values(terminal.heard).reduce((sum, one) => sum + one, 0)
    await until(() => told() >= 60, `${name}: sixty questions`)
    const left = new Set(terminal.store.records.map(({ counter }) => counter))
    const taken = new Set(collected.map(({ counter }) => counter))
    t.ok([101, 102, 103, 104].every(counter => left.has(counter) || taken.has(counter)), `${name}: none lost`)
    state.tamper = honest
    await until(() => terminal.store.records.length === 0, `${name}: the rest, once it is over`)
    await until(() => terminal.store.blacklistSerial === 2, `${name}: the list`)
    t.same(counters(collected), [101, 102, 103, 104], name)
    t.equal(collected.length, 4, `${name}: each once`)
    t.equal(terminal.store.list.size, 2, name)
    const { strange = 0, garbled = 0 } = counts()
    t.ok(strange + garbled > 0, `${name}: noticed, ${strange} strange and ${garbled} garbled`)
  }
})

t.test('a whole session said again: the clock tells, and the records are the same events', async t => {
  const answers = new Map<string, Uint8Array[]>()
  // A deadline that a busy machine misses would put question and recorded answer out of step.
  const patient = { echoMs: 5_000, answerMs: 5_000 }
  const first = lineOf(t, {}, undefined, patient)
  const terminal = withRecords(2)
  const commandsOf = (one: typeof terminal) => Object.entries(one.heard)
  first.state.tamper = answer => {
    const name = commandsOf(terminal).find(([name, times]) => times > (answers.get(name)?.length ?? 0))?.[0]
    if (name !== undefined) answers.set(name, [...answers.get(name) ?? [], answer])
    return [answer]
  }
  void serveLine(first.line, [terminal])
  await first.until(() => terminal.store.records.length === 0 && terminal.store.blacklistSerial === 2, 'all')

  /** Says to each command what the terminal said, one after the other, the last answer again and again. */
  const parrot = (at: string) => {
    const line = lineOf(t, {}, at, patient)
    const mouth = withRecords(0)
    const given = new Map<string, number>()
    line.state.tamper = () => {
      const name = commandsOf(mouth).find(([name, times]) => times > (given.get(name) ?? 0))?.[0] ?? ''
      const nth = given.get(name) ?? 0
      given.set(name, nth + 1)
      const all = answers.get(name) ?? []
      return all.slice(Math.min(nth, all.length - 1)).slice(0, 1)
    }
    void serveLine(line.line, [mouth])
    return line
  }
  const soon = parrot('2026-03-02T12:00:00+08:00')
  await soon.until(() => soon.collected.length >= 2, 'records of before')
  const evidence = (records: readonly TransactionRecord[]) =>
    [...new Set(records.map(one => Buffer.from(evidenceHash(one)).toString('hex')))].sort()
  t.same(evidence(soon.collected), evidence(first.collected), 'the ledger knows them by their keys')
  t.equal(soon.collected.length, 2)
  const later = parrot('2026-03-02T15:00:00+08:00')
  await later.until(() => later.said.length > 0, 'a word')
  t.equal(later.said[0]?.clockMs, Date.parse('2026-03-02T12:00:00+08:00'), 'the centre hears of its clock')
})

/** Each status says something else than the terminal does. */
const restated = (other: object): Tamper => answer => {
  const cut = cutPolled(answer)
  if (cut?.ok !== true || cut.frame.payload.length !== layoutBytes(statusLayout)) return [answer]
  const read = readLayout(statusLayout, cut.frame.payload)
  if (!read.ok) return []
  return [buildPolled({ ...cut.frame, payload: writeLayout(statusLayout, { ...read.values, ...other }) })]
}

t.test('a clock that does not take the time keeps no record from coming', async t => {
  const terminal = withRecords(3)
  const { line, state, collected, said, until } = lineOf(t, {}, '2026-03-02T12:00:00+08:00')
  state.tamper = restated({ clock: '20000101000000' })
  void serveLine(line, [terminal])
  await until(() => terminal.store.records.length === 0, 'its records')
  t.same(counters(collected), [101, 102, 103])
  await until(() => terminal.store.blacklistVersion === 1, 'its list')
  t.ok((terminal.heard['clock'] ?? 0) >= 3, 'it was told the time')
  t.equal(said.at(-1)?.clockMs, Date.parse('2000-01-01T00:00:00+08:00'), 'the centre hears of it')
})

t.test('what a terminal does not take keeps no record from coming, and the centre hears of it', async t => {
  const cases: readonly (readonly [string, Balk])[] = [
    ['blacklist', 'failed'], ['blacklist', 'done'], ['blacklist', 'nothing'], ['parameters', 'failed'],
    ['parameters', 'done'], ['start', 'failed'], ['start', 'nothing']
  ]
  for (const [command, balk] of cases) {
    const name = `${command}: it says ${balk}`
    const terminal = withRecords(3)
    terminal.balks[command] = balk
    const { line, collected, events, said, until } = lineOf(t)
    void serveLine(line, [terminal])
    await until(() => terminal.store.records.length === 0, `${name}, its records`)
    t.same(counters(collected), [101, 102, 103], name)
    await until(() => events.includes('raise not_updated'), `${name}, an event`)
    const before = terminal.heard['status'] ?? 0
    await until(() => (terminal.heard['status'] ?? 0) > before + 100, `${name}, a hundred turns`)
    t.equal(terminal.heard[command], 3, `${name}: three times, and it rests`)
    t.equal(said.filter(({ boot }) => boot === true).length, 1, `${name}: it has started once`)
    if (command === 'blacklist') t.notOk(said.some(applies('blacklist')), name)
    else t.equal(terminal.store.blacklistVersion, 1, `${name}: what it takes it has`)
  }
})

t.test('a list that cannot be kept keeps no record from coming, and no process from living', async t => {
  const terminal = withRecords(3)
  let tries = 0
  const follow = () => {
    tries += 1
    throw new Error('ENOSPC: no space left on device')
  }
  const { line, collected, until } = lineOf(t, {}, undefined, {}, { changes: { version: 3, follow } })
  void serveLine(line, [terminal])
  await until(() => terminal.store.records.length === 0, 'its records')
  t.same(counters(collected), [101, 102, 103])
  await until(() => (terminal.heard['status'] ?? 0) > 100, 'a hundred turns')
  t.equal(tries, 1, 'the disk is tried again after a while')
})

t.test('the tariff that counts is brought, from a document where one speaks of the line, and told as applied',
  async t => {
    const simple = {
      version: 7, operators: {
        BUS: { kind: 'flat', fareFen: 200, cardFareFen: 180 },
        FRY: { kind: 'flat', fareFen: 500, cardFareFen: 450 }
      }
    }
    const documents = faresFrom({ ...firstDocument, version: 9 })
    const rows = [
      ['no document', [], { line: '12' }, { version: 7, priced: 1, fareFen: 200, cardFareFen: 180 }],
      ['a document', documents, { line: '12' }, { version: 9, priced: 1, fareFen: 200, cardFareFen: 180 }],
      ['no line', documents, {}, { version: 9, priced: 1, fareFen: 200, cardFareFen: 180 }],
      ['no one price', documents, { line: 'S1' }, { version: 9, priced: 0, fareFen: 0, cardFareFen: 0 }],
      ['of others', documents, { operator: 'FRY' }, { version: 7, priced: 1, fareFen: 500, cardFareFen: 450 }]
    ] as const
    for (const [name, fares, at, expected] of rows) {
      const terminal = withRecords(0)
      const parameters = { tariff: () => simple, fares: () => fares }
      const { line, said, until } = lineOf(t, at, undefined, {}, { parameters })
      void serveLine(line, [terminal])
      await until(() => said.some(applies('tariff')), `${name}: the centre hears of it`)
      t.match(terminal.store.parameters, expected, name)
      const told = said.flatMap(({ applied = [] }) => applied).find(({ kind }) => kind === 'tariff')
      t.match(told, { version: expected.version, atMs: Date.parse('2026-03-02T12:00:00+08:00') }, name)
    }
  })

t.test('what was not taken is brought once more after a while, and the event is over', async t => {
  const terminal = withRecords(0)
  terminal.balks['blacklist'] = 'failed'
  const { line, events, said, until } = lineOf(t, {}, undefined, { tellAgainMs: 50 })
  void serveLine(line, [terminal])
  await until(() => (terminal.heard['blacklist'] ?? 0) > 5, 'twice more')
  t.ok((terminal.heard['status'] ?? 0) > 10, 'the line has time for others')
  delete terminal.balks['blacklist']
  await until(() => terminal.store.blacklistVersion === 1, 'its list')
  await until(() => said.some(applies('blacklist')), 'the centre hears of it')
  t.equal(terminal.store.list.size, 2)
  t.same([events[0], events.at(-1)], ['raise not_updated', 'clear not_updated'])
})

t.test('a list longer than a memory, in part again and again; one over a line that loses half', async t => {
  const small = withRecords(3)
  small.listMax = 30
  const one = lineOf(t, {}, undefined, { entries: 40 })
  void serveLine(one.line, [small])
  await one.until(() => small.store.records.length === 0, 'its records')
  t.same(counters(one.collected), [101, 102, 103])
  await one.until(() => one.events.includes('raise not_updated'), 'an event')
  const before = small.heard['status'] ?? 0
  await one.until(() => (small.heard['status'] ?? 0) > before + 100, 'a hundred turns')
  // Twelve cards, twelve more, no room for the next; from the beginning, twelve more: nothing new in three.
  t.equal(small.heard['blacklist'], 5, 'and it rests')

  // 240 cards are twenty packets, of which each second answer is lost: it goes on, and nothing is wrong.
  const far = withRecords(0)
  const two = lineOf(t, {}, undefined, { entries: 240, answerMs: 15 })
  two.state.tamper = answer => (far.heard['blacklist'] ?? 0) % 2 === 1 && answer.length === 5 ? [] : [answer]
  void serveLine(two.line, [far])
  await two.until(() => far.store.blacklistVersion === 1, 'the whole list')
  t.equal(far.store.list.size, 240)
  t.equal(far.heard['blacklist'], 20, 'no packet twice')
  t.notOk(two.events.includes('raise not_updated'))
})

t.test('who is not enrolled, or has another PSAM, gives its records and is brought nothing', async t => {
  const brought = ['start', 'clock', 'parameters', 'blacklist']
  const terminal = withRecords(2, '990000000004')
  const { line, state, collected, events, said, until } = lineOf(t, { psam: '990000000001' })
  state.enrolled = false
  void serveLine(line, [terminal])
  const nothing = async (name: string) => {
    const before = terminal.heard['status'] ?? 0
    await until(() => (terminal.heard['status'] ?? 0) > before + 20, name)
    t.same(brought.filter(one => (terminal.heard[one] ?? 0) > 0), [], name)
    t.same(said, [], `${name}: it was not heard`)
  }
  await until(() => terminal.store.records.length === 0, 'its records')
  t.same(counters(collected), [101, 102])
  await nothing('not enrolled')
  state.enrolled = true
  await nothing('another PSAM')
  t.ok(events.includes('raise psam_refused'))
  Object.assign(terminal.store, { psam: '990000000001' })
  await until(() => terminal.store.blacklistVersion === 1 && !terminal.booted, 'served')
  await until(() => said.some(applies('blacklist')), 'it has the list')
  t.equal(events.at(-1), 'clear psam_refused')
  t.equal(said[0]?.boot, true)

  // A version without the changes that make it is not applied: liability hangs on it.
  state.tamper = restated({ blacklistSerial: 1 })
  said.length = 0
  await until(() => said.length > 3, 'it says the version')
  t.notOk(said.slice(1).some(applies('blacklist')))
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
        protocol: 'polled', echoMs: 300, answerMs: 1_000, turnMs: 50, silentMsMax: 400, tellAgainMs: 500,
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
      const giveUpAt = performance.now() + 120_000
      while (!what()) {
        if (performance.now() > giveUpAt) throw new Error(`waited in vain: ${name}`)
        await delay(10)
      }
    }
    one.store.records = [1, 2, 3].map(nth => stored(debit(1, nth, 'B1')))
    two.store.records = [stored(debit(2, 1, 'B2')), { ...stored(debit(2, 9, 'B2')), counter: 0 }]
    one.lose['forget'] = 1
    two.balks['blacklist'] = 'failed'

    // Killed before the record is on disk, and after it but before the terminal hears of it: given once more.
    for (const killAt of ['polled-before-collect', 'polled-after-collect']) {
      const dying = await city.gateway([port], { killAt })
      t.equal((await dying.lost).signal, 'SIGKILL')
      t.equal(one.store.records.length + two.store.records.length, 5, 'nothing is forgotten yet')
    }

    const gateway = await city.gateway([port], { config: { reportEverySeconds: 1 } })
    await until(() => one.store.records.length === 0 && two.store.records.length === 1, 'records')
    const eventsOf = async (terminal: string) =>
      (await city.door.ok('clerk', 'GET', `/v1/terminals/BUS/${terminal}`) as { events: string[] }).events
    for (const giveUpAt = performance.now() + 120_000; !(await eventsOf('B2')).includes('not_updated');) {
      if (performance.now() > giveUpAt) throw new Error('the centre does not hear that it takes no list')
      await delay(50)
    }
    t.equal(two.store.blacklistVersion, 0, 'it has given its records without a list')
    delete two.balks['blacklist']
    await until(() => [one, two].every(({ store }) => store.blacklistVersion === 1), 'the list')
    t.same([...one.store.list].sort(), listed.map(entry => cardKey(entry.card)).sort())
    t.same([...two.store.list].sort(), [...one.store.list].sort())
    t.ok((one.heard['blacklist'] ?? 0) >= 2, 'fifteen cards take two packets')
    t.match(one.store.clock, /^2026030212/, 'its clock was years behind')
    t.notOk(one.booted)
    await gateway.drained()
    t.same(await city.booked(card(1).card), ['101 180 ok', '102 180 ok', '103 180 ok'])
    t.same(await city.booked(card(2).card), ['101 180 ok'])
    while ((await eventsOf('B2')).includes('not_updated')) await delay(50)
    // Told twice where its answer came too late to count.
    await until(() => two.store.refused >= 1, 'what no chip can have done to stay where it is')
    const [refused, looks] = [two.store.refused, two.heard['status'] ?? 0]
    await until(() => (two.heard['status'] ?? 0) >= looks + 5, 'five more rounds')
    t.equal(two.store.refused, refused, 'and is not asked for again')

    // A gap: the terminal lost its list, says an old number, and gets the whole.
    two.store.list.clear()
    two.store.blacklistSerial = 4_000
    await until(() => two.store.list.size === 15 && two.store.blacklistVersion === 1, 'the whole list again')
    silent.mood = 'well'
    silent.store.records = [stored(debit(4, 1, 'B2', { terminal: 'B8' }))]
    await until(() => silent.store.records.length === 0, 'the silent one is back')
    t.equal(silent.heard['blacklist'], undefined, 'nobody has enrolled it: it gives, and is brought nothing')
    const page = await (await fetch(`${gateway.child.ready.url}/metrics`)).text()
    t.match(page, /^gateway_terminal_events\{kind="not_enrolled"\} 1$/m)
    const registered = { terminals: [{ terminal: 'B8', operator: 'BUS' }] }
    await city.door.ok('registrar', 'PUT', '/v1/registry', registered)
    await until(() => silent.store.blacklistVersion === 1, 'enrolled, it is served')
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
