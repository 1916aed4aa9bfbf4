// What routes declare to refuse for (ledger/http/refusals.ts) against their code: nothing is declared that no
// code of the route can say, and what is said is declared. That answers are as declared is held by every test
// that asks a ledger (test/support/ledger-http.ts).
import t from 'tap'
import { createLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createApp } from '../ledger/http/app.ts'
import { commonRefusals, refusals } from '../ledger/http/refusals.ts'
import { routes } from '../ledger/http/routes.ts'
import { routesInCode } from './support/refusals-in-code.ts'

/** Reached, but not by this route: a reason in the code of what it shares with others, and why it is not given. */
const never: Readonly<Record<string, Readonly<Record<string, string>>>> = {}

/** What hooks refuse for, by route. */
async function commons (): Promise<Map<string, ReadonlySet<string>>> {
  const bare = { log: createLog('refusals', { level: 'silent' }), metrics: createMetrics() } as never
  const app = await createApp(bare)
  const found = new Map<string, ReadonlySet<string>>()
  app.addHook('onRoute', route => {
    found.set(`${String(route.method)} ${route.url}`, new Set(commonRefusals(route)))
  })
  await app.register(routes(bare))
  await app.ready()
  await app.close()
  return found
}

t.test('each route declares what its code says', async t => {
  const inCode = routesInCode()
  t.ok(inCode.length > 120, `${inCode.length} routes in the code`)
  const common = await commons()
  const codeOf = (name: string) => inCode.find(one =>
    new RegExp(`^${one.name.replaceAll('.', '\\.').replaceAll('*', '.+')}$`).test(name))
  const wrong = [...common].flatMap(([name, shared]) => {
    const code = codeOf(name)
    if (code === undefined) return [`${name}: no such route in the code`]
    const own: readonly string[] = refusals[name] ?? []
    const reached = [...code.reasons].filter(reason => !shared.has(reason) && never[name]?.[reason] === undefined)
    return [
      ...own.filter(reason => !code.reasons.has(reason)).map(reason => `${name}: declares ${reason}, says it never`),
      ...reached.filter(reason => !own.includes(reason)).map(reason => `${name}: says ${reason}, does not declare it`)
    ]
  })
  t.strictSame(wrong, [])
})
