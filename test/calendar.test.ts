// Working days, against the public calendar of 2026: the Spring Festival is 15–23 February, and Saturday 14
// and 28 February are worked in exchange.
import t from 'tap'
import { addWorkingDays, isWorkingDay } from '../ledger/core/calendar.ts'

const none = new Map<string, boolean>()
const festival = new Map([
  ...['15', '16', '17', '18', '19', '20', '21', '22', '23'].map(day => [`2026-02-${day}`, false] as const),
  ['2026-02-14', true] as const, ['2026-02-28', true] as const
])

t.test('working days', async t => {
  for (const [date, count, calendar, expected] of [
    ['2026-03-02', 0, none, '2026-03-02'],
    ['2026-03-02', 1, none, '2026-03-03'],
    ['2026-03-06', 1, none, '2026-03-09'], // Friday to Monday
    ['2026-03-07', 0, none, '2026-03-09'], // Saturday rolls
    ['2026-03-07', 1, none, '2026-03-09'],
    ['2026-03-02', 30, none, '2026-04-13'],
    ['2026-02-13', 1, festival, '2026-02-14'], // the Saturday before is worked
    ['2026-02-14', 1, festival, '2026-02-24'],
    ['2026-02-16', 0, festival, '2026-02-24'],
    ['2026-02-27', 1, festival, '2026-02-28'],
    ['2025-12-31', 1, none, '2026-01-01'],
    ['2025-12-26', 10, none, '2026-01-09']
  ] as const) t.equal(addWorkingDays(date, count, calendar), expected, `${date} + ${count}`)
  t.equal(isWorkingDay('2026-02-28', festival), true)
  t.equal(isWorkingDay('2026-02-28', none), false)
})
