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

/** Stands in code that a route shares with others, and is not given by this one. */
const never: readonly (readonly [route: RegExp, reasons: readonly string[], why: string])[] = [
  [/^POST \/v1\/records$/, ['file_sequence_used'], 'a delivery that is no file'],
  [/^GET \/v1\/days$/, ['not_found'], 'days of the list are there'],
  [/^POST \/v1\/days\/:date\/instruct$/, ['file_sequence_used', 'delivery_conflict'],
    'what the house delivers has a name of its own'],
  [/^GET \/v1\/exports\/(?!records)/, ['not_found'], 'one handler for all lists: records alone are of a card'],
  [/^POST \/v1\/webhooks$/, ['not_found'], 'it has just been made'],
  [/^POST \/v1\/(my\/cases|cases\/:case\/proposal)$/, ['charge_conflict', 'registry_invalid'],
    'the reference of a refund is the case\'s own; accounts are looked for when it is carried out'],
  [/^POST \/v1\/my\/cards\/:card\/moves$/, ['holder_rule'], 'a person holds named cards'],
  [/^POST \/v1\/my\/data$/, ['conditions_not_met', 'not_found'], 'persons and their cards are there'],
  [/^GET \/v1\/my\/cards\/:card\/services$/, ['conditions_not_met'], 'a library without rules is passed over'],
  [/^POST \/v1\/library\/:party\/payments$/, ['other_branch', 'amount_wrong', 'cannot_return_twice'],
    'a library is of no branch, and a debit that was moved before pays no fee'],
  [/^POST \/v1\/services\/:service\/parties\/:party\/events$/,
    ['other_branch', 'amount_wrong', 'cannot_return_twice'],
    'a merchant speaks for itself, and a debit that was moved before pays nothing'],
  [/^POST \/v1\/proposals(\/:id\/decisions)?$/, ['request_conflict'],
    'what takes a service event back asks under a key of its own, once'],
  [/^POST \/v1\/social-security\/cards\/:card\/messages$/,
    ['amount_wrong', 'holder_rule', 'other_branch', 'registry_invalid'],
    'a registry is of no branch, takes its fees itself, and is bound by its own rules alone'],
  [/^POST \/v1\/clinic\/:party\/looks$/, [
    'amount_wrong', 'cannot_return_twice', 'charge_conflict', 'dispute_unfinished', 'other_branch',
    'proposal_pending', 'registry_invalid', 'request_conflict'
  ], 'one handler for all four: looking ahead moves no money'],
  [/^POST \/v1\/clinic\/:party\/(settlements|cancellations|reversals|national)$/,
    ['amount_wrong', 'cannot_return_twice', 'dispute_unfinished', 'other_branch', 'proposal_pending'],
    'a clinic is of no branch, a debit that was moved before is none, and people may end what is theirs']
]
const isNever = (name: string, reason: string): boolean =>
  never.some(([route, reasons]) => route.test(name) && reasons.includes(reason))

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

t.setTimeout(120_000)

t.test('each route declares what its code says', async t => {
  const inCode = routesInCode()
  t.ok(inCode.length > 120, `${inCode.length} routes in the code`)
  const common = await commons()
  const codeOf = (name: string) => inCode.find(one => one.name === name) ?? inCode.find(one =>
    one.name.includes('*') &&
    new RegExp(`^${one.name.replaceAll('.', '\\.').replaceAll('*', '.+')}$`).test(name))
  const wrong = [...common].flatMap(([name, shared]) => {
    const code = codeOf(name)
    if (code === undefined) return [`${name}: no such route in the code`]
    const own: readonly string[] = refusals[name] ?? []
    const said = [...code.reasons].filter(reason => !shared.has(reason) && !isNever(name, reason))
    return [
      ...own.filter(reason => !said.includes(reason)).map(reason => `${name} never says ${reason}`),
      ...said.filter(reason => !own.includes(reason)).map(reason => `${name} does not declare ${reason}`)
    ]
  })
  t.strictSame(wrong, [])
  const idle = never.filter(([route, reasons]) => !reasons.every(reason =>
    [...common.keys()].some(name => route.test(name) && codeOf(name)?.reasons.has(reason) === true)))
  t.strictSame(idle.map(([, , why]) => why), [], 'what is said never would be said otherwise')
})
