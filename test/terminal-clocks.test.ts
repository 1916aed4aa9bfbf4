// What terminals tell of themselves beside what they ask, and the centre hears: clocks and versions, by what
// each protocol has for it.
import t from 'tap'
import type { PortHouse } from '../gateway/face.ts'
import { clockOf as clockOfHost } from '../gateway/iso8583/decisions.ts'
import { posDesk } from '../gateway/pos-line/answer.ts'
import { clockOf as clockOfSelfCheck } from '../gateway/sip2/session.ts'
import type { Said } from '../gateway/terminals/terminals.ts'
import { manualClock } from '../runtime/clock.ts'
import { formatIso } from '../runtime/instants.ts'
import { codePage } from '../schemas/sip2/code-page.ts'
import { readMessage } from '../schemas/sip2/message.ts'

const shown = (atMs: number | null): string => atMs === null ? 'nothing' : formatIso(atMs).slice(0, 19)

t.test('ISO 8583: fields 12 and 13 have no year', async t => {
  const rows = [
    ['2026-03-02T12:00:00', '120000', '0302', '2026-03-02T12:00:00'],
    ['2026-03-02T12:00:00', '115500', '0302', '2026-03-02T11:55:00'],
    ['2026-01-01T00:10:00', '235500', '1231', '2025-12-31T23:55:00'],
    ['2026-12-31T23:55:00', '000500', '0101', '2027-01-01T00:05:00'],
    ['2026-03-02T12:00:00', '120000', '0229', 'nothing'], // no such day in these three years
    ['2024-03-01T12:00:00', '120000', '0229', '2024-02-29T12:00:00'],
    ['2026-03-02T12:00:00', '250000', '0302', 'nothing'],
    ['2026-03-02T12:00:00', undefined, '0302', 'nothing'],
    ['2026-03-02T12:00:00', '120000', undefined, 'nothing']
  ] as const
  for (const [now, time, date, expected] of rows) {
    const fields = { ...time === undefined ? {} : { 12: time }, ...date === undefined ? {} : { 13: date } }
    t.equal(shown(clockOfHost(fields, Date.parse(`${now}+08:00`))), expected, `${date} ${time} at ${now}`)
  }
})

t.test('SIP2: what somebody who stands there asks tells the time, what may be recorded does not', async t => {
  const who = 'AOMAIN|AA1|AC|'
  const date = '20260302    115500'
  const rows = [
    [`63001${date}          ${who}`, '2026-03-02T11:55:00'], [`23001${date}${who}`, '2026-03-02T11:55:00'],
    [`17${date}AOMAIN|ABone|AC|`, '2026-03-02T11:55:00'],
    [`11YN${date}${date}${who}ABone|`, 'nothing'], [`37${date}0402CNYBV1.00|${who}`, 'nothing'],
    [`63001${'9'.repeat(8)}    999999          ${who}`, 'nothing']
  ] as const
  for (const [line, expected] of rows) {
    const read = readMessage(Buffer.from(line), codePage('utf-8'))
    t.equal(read.ok ? shown(clockOfSelfCheck(read.message)) : read.wrong.why, expected, line.slice(0, 2))
  }
})

t.test('POS line: an echo tells clock and versions', async t => {
  const heard: Said[] = []
  const house = {
    clock: manualClock(Date.parse('2026-03-02T12:00:00+08:00')),
    parameters: { blacklistVersion: () => 4 },
    guard: { stranger: () => null, tooBusy: () => null },
    terminals: {
      find: () => ({ ok: true, terminal: {} }), heard: (_: unknown, said: Said) => { heard.push(said) }
    }
  } as unknown as PortHouse
  const desk = posDesk({
    house, lane: 'TILL', terminals: [{ operator: 'SHP', terminal: 'S1' }], answerMs: 100, language: 'en'
  })
  const atMs = house.clock.now()
  const rows = [
    ['ECHO|key=0001', { applied: [] }],
    ['ECHO|key=0002|time=2026-03-02T11:55:00+08:00', { clockMs: atMs - 300_000, applied: [] }],
    ['ECHO|key=0003|time=noon|blacklistVersion=4|tariffVersion=7', {
      applied: [{ kind: 'blacklist', version: 4, atMs }, { kind: 'tariff', version: 7, atMs }]
    }],
    ['ECHO|key=0004|blacklistVersion=0', { applied: [] }]
  ] as const
  for (const [line, expected] of rows) {
    const answer = Buffer.from(await desk.answer(Buffer.from(line), { certificate: null })).toString()
    const said = /^ANSWER\|key=\d{4}\|blacklistVersion=4\|outcome=approved\|reason=ok\|time=2026-03-02T12:00:00/
    t.match(answer, said, line)
    t.strictSame(heard.pop(), expected, line)
  }
})
