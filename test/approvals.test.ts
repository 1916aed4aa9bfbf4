// docs/approvals.md says who may do what: its tables are those of the code, and the doors do what it says,
// for every route and every kind of caller.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { clientOf } from './support/small-city.ts'
import { machines, staff, startDoors, type Who } from './support/ledger-http.ts'
import { page, withRights } from './support/rights.ts'

const text = readFileSync(page, 'utf8')

t.test('the page says what the code does', async t => {
  t.equal(text, await withRights(text), 'out of date: npx tsx test/support/rights.ts')
})

/** `METHOD path` with what the page allows, in its order. */
const routes = [...text.matchAll(/^\| `([A-Z]+ \/\S+)` \| ([a-z, ]+) \|/gm)]
  .map(([, route = '', who = '']) => ({ route, allowed: who.split(', ') }))

/** A place that is not there, so that whoever comes through changes nothing. */
const placed = (path: string): string =>
  path.replace(/:date/g, '2026-13-99').replace(/:id|:telling/g, '999999').replace(/:\w+/g, 'NOBODY')

t.test('every route, every caller', async t => {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', {
    clearingDate: '2026-03-02',
    parties: [
      { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus' },
      { code: 'SHP', kind: 'agent', nameZh: '商户', nameEn: 'Shop' }
    ]
  })
  const people = Object.entries(staff).map(([name, roles]) =>
    ({ who: name as Who, token: null, is: ['person', 'staff', ...roles] as string[] }))
  const callers = [
    ...people,
    ...Object.keys(machines).map(kind => ({ who: kind as Who, token: null, is: [kind] })),
    { who: null, token: await clientOf(door, 'BUS', 'operator'), is: ['operator'] },
    { who: null, token: await clientOf(door, 'SHP', 'agent'), is: ['agent'] },
    { who: null, token: null, is: [] }
  ]
  t.ok(routes.length > 50, `${routes.length} routes`)
  for (const { route, allowed } of routes) {
    if (route === 'DELETE /v1/session') continue // whoever may, signs out and is nobody afterwards
    const [method = '', path = ''] = route.split(' ')
    const wrong: string[] = []
    for (const { who, token, is } of callers) {
      const sent = { ...method === 'GET' ? {} : { json: {} }, ...token === null ? {} : { token } }
      const { json } = await door.ask(who, method, placed(path), sent)
      const open = allowed.includes('everyone') || is.some(one => allowed.includes(one))
      // Whoever may come in and asks for what belongs to another is forbidden too, but not for the role.
      const shut = is.length === 0 ? /unauthenticated/ : /forbidden .*; allowed: /
      const answer = `${json?.reason} ${json?.detail}`
      if (open === shut.test(answer)) wrong.push(`${who ?? is.join()}: ${answer}`)
    }
    t.strictSame(wrong, [], route)
  }
  await door.close()
})
