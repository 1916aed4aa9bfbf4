// One card at two places: ways on the earth, what is too far for the time, and both records in the alert.
import t from 'tap'
import { isTooFar, kmBetween } from '../ledger/core/travel.ts'
import { startDoors } from './support/ledger-http.ts'
import { card, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(300_000)

t.test('ways on the earth', async t => {
  // Published great-circle distances, by their rounding.
  for (const [what, one, other, km, off] of [
    ['a degree of latitude', [0, 0], [1, 0], 111.19, 0.01],
    ['a degree of longitude at 60° N is half of it', [60, 0], [60, 1], 55.6, 0.05],
    ['London to Paris', [51.5074, -0.1278], [48.8566, 2.3522], 343.6, 1],
    ['over the date line', [0, 179.5], [0, -179.5], 111.19, 0.01],
    ['to the other side', [0, 0], [0, 180], 20_015, 1],
    ['nowhere', [26.8936, 112.5720], [26.8936, 112.5720], 0, 0]
  ] as const) {
    const [a, b] = [one, other].map(([latitude, longitude]) => ({ latitude, longitude }))
    const found = a === undefined || b === undefined ? NaN : kmBetween(a, b)
    t.ok(Math.abs(found - km) <= off, `${what}: ${found}`)
  }
})

t.test('too far for the time', async t => {
  const limits = { kmMin: 5, kmhMax: 200 }
  for (const [degreesNorth, minutes, expected] of [
    [0.2698, 5, true], [0.2698, 8, true], [0.2698, 10, false], // 30 km: 360, 225 and 180 km/h
    [0.04, 0, false], [0.05, 0, true], // 4.4 and 5.6 km in no time
    [0.2698, -5, true]
  ] as const) {
    const one = { latitude: 26.8936, longitude: 112.572, eventAtMs: 0 }
    const other = { ...one, latitude: one.latitude + degreesNorth, eventAtMs: minutes * 60_000 }
    t.equal(isTooFar(one, other, limits), expected, `${degreesNorth}° in ${minutes} minutes`)
  }
})

t.test('somebody is told, with both records, and nothing is reversed', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0), card(1)]))
  const at = '2026-03-02T06:00:00.000+08:00'
  const stands = (terminal: string, operator: string, latitude: number) =>
    ({ operator, terminal, heardAt: at, where: { latitude, longitude: 112.572 } })
  const { refused } = await door.ok('gateway', 'POST', '/v1/terminals/reports', {
    at, everySeconds: 60, startedAt: at,
    terminals: [stands('B1', 'BUS', 26.8936), stands('M1', 'MET', 27.1634)]
  })
  t.strictSame(refused, [])
  const alerts = async () => (await door.ok('clerk', 'GET', '/v1/alerts?kind=clone_suspicion')).items
  await deliver(door, 'in-town-1', [debit(0, 1, 'B1', { dateTime: '20260302110000' })])
  await door.ledger.watch.catchUp()
  t.strictSame(await alerts(), [])
  await deliver(door, 'far-away-1', [debit(0, 2, 'M1', { dateTime: '20260302110430' })])
  await door.ledger.watch.catchUp()
  t.match(await alerts(), [{
    about: /^card\/\d{6}…\d{4}-1#\d+$/,
    evidence: {
      km: 30,
      records: [
        { terminal: 'B1', at: /T11:00:00/, counter: 101, amountFen: 180 },
        { terminal: 'M1', at: /T11:04:30/, counter: 102, amountFen: 180 }]
    }
  }])
  const { accepted, held } = (await door.ok('auditor', 'GET', '/v1/records?limit=10')).items
    .reduce((sums: { accepted: number, held: number }, { outcome }: { outcome: 'accepted' | 'held' }) =>
      ({ ...sums, [outcome]: sums[outcome] + 1 }), { accepted: 0, held: 0 })
  t.strictSame([accepted, held], [2, 0])
  await door.close()
})
