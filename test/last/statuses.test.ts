// Every status that the description of the ledger declares was given by its route in some test, or comes of a
// hook that all routes share. bin/test.ts runs this when all other files are over; what they saw lies in the
// folder CITIZEN_CARD_SEEN.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { requestReasons } from '../../schemas/reasons.ts'
import { createLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { createApp } from '../../ledger/http/app.ts'
import { commonRefusals } from '../../ledger/http/refusals.ts'
import { routes } from '../../ledger/http/routes.ts'

/** Given by one hook for every route that has them; each is seen somewhere, if not at each route. */
const shared: Readonly<Record<number, string>> = {
  400: 'the schema of a route is checked before its handler (test/bad-input.test.ts)',
  401: 'who calls is asked before any handler (ledger/http/auth.ts)',
  403: 'whom a route lets in is asked before any handler (test/companies.test.ts goes through all)',
  409: 'of keyed routes: a key in flight (ledger/http/once.ts)',
  413: 'a body is measured while it comes in',
  415: 'content types without a parser',
  422: 'of keyed routes: a key used for something else (ledger/http/once.ts)',
  500: 'a fault of ours, or of the database',
  503: 'the database is away, or a lock was not to be had'
}

/** Given by code (test/refusals.test.ts), and by no test: what it takes is not worth one. */
const untried: Readonly<Record<string, string>> = {
  'POST /v1/library/{party}/payments 422': 'the account of a library is closed while a debit goes back',
  'POST /v1/services/{service}/parties/{party}/events 422': 'the account of a merchant is closed meanwhile'
}

/** `METHOD /path status`, as the description writes paths. */
async function declared (): Promise<{ name: string, isShared: boolean }[]> {
  const bare = { log: createLog('statuses', { level: 'silent' }), metrics: createMetrics() } as never
  const app = await createApp(bare)
  const common = new Map<string, ReadonlySet<number>>()
  app.addHook('onRoute', route => {
    const path = route.url.replace(/:(\w+)/g, '{$1}')
    common.set(`${String(route.method)} ${path}`,
      new Set(commonRefusals(route).map(reason => requestReasons[reason].http)))
  })
  await app.register(routes(bare))
  await app.ready()
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  await app.close()
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) => Object.keys(responses).map(status => {
      const route = `${method.toUpperCase()} ${path}`
      return { name: `${route} ${status}`, isShared: common.get(route)?.has(Number(status)) === true }
    })))
}
type Operation = { readonly responses: Record<string, object> }

const folder = process.env['CITIZEN_CARD_SEEN'] ?? ''

t.test('what is declared is given', { skip: folder === '' ? 'extra: runs behind all others' : false },
  async t => {
    const seen = new Set(readdirSync(folder).flatMap(name =>
      readFileSync(join(folder, name), 'utf8').split('\n')))
    const all = await declared()
    t.ok(all.length > 800, `${all.length} statuses of all routes`)
    const missing = all.filter(({ name, isShared }) => !isShared && !seen.has(name) && !(name in untried))
    t.strictSame(missing.map(({ name }) => name), [], 'each is given in some test')
    for (const [status, why] of Object.entries(shared)) {
      t.ok([...seen].some(line => line.endsWith(` ${status}`)), `${status}: ${why}`)
    }
    const statuses = new Set(all.filter(one => one.isShared).map(({ name }) => name.split(' ').at(-1)))
    t.strictSame([...statuses].filter(status => !((status ?? '') in shared)), [],
      'what is shared has a reason')
  })
