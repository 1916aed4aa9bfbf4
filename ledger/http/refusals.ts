// How each route may refuse, by the reasons of the registry: what its handler decides stands here, what the
// hooks before it decide is worked out from how it is declared. The description is made of both, and no
// answer may have another status. A route that is not listed refuses for the common reasons alone.
import type { RouteOptions } from 'fastify'
import { groupBy } from '../../runtime/collections.ts'
import { Problem } from '../../schemas/api.ts'
import { requestReasons, type RequestReason } from '../../schemas/reasons.ts'

/** What a clinic asks may move money of an online account, or of a chip's sale. */
const clinicMoney = [
  'charge_conflict', 'conditions_not_met', 'not_found', 'registry_invalid', 'request_conflict'
] as const satisfies readonly RequestReason[]

export const refusals: Readonly<Record<string, readonly RequestReason[]>> = {
  'POST /v1/session': ['credentials_wrong'],
  'GET /v1/session/oidc': ['forbidden', 'not_found'],
  'GET /v1/session/oidc/callback': ['credentials_wrong', 'not_found'],
  'POST /v1/session/browser': ['credentials_wrong', 'forbidden'],
  'PUT /v1/session/password': ['credentials_wrong', 'password_weak'],
  'DELETE /v1/sessions/:id': ['not_found'],
  'POST /v1/staff/:name/lock': ['not_found'],
  'POST /v1/staff/:name/initial-password': ['not_found'],
  'PUT /v1/registry': ['amount_wrong', 'day_state', 'other_branch', 'proposal_pending', 'registry_invalid'],
  'POST /v1/cities': ['other_branch', 'proposal_pending', 'registry_invalid'],
  'POST /v1/loads': ['request_conflict'],
  'POST /v1/loads/outcome': ['not_found'],
  'POST /v1/loads/pending': ['not_found'],
  'POST /v1/card-blocks': ['request_conflict'],
  'POST /v1/card-blocks/outcome': ['not_found'],
  'POST /v1/card-orders': ['conditions_not_met', 'not_found', 'other_branch'],
  'POST /v1/card-orders/:order/withdrawal': ['conditions_not_met', 'not_found', 'other_branch'],
  'POST /v1/card-orders/:order/pin': ['conditions_not_met', 'not_found', 'other_branch'],
  'POST /v1/card-orders/next': ['request_conflict'],
  'POST /v1/card-orders/outcome': ['not_found'],
  'GET /v1/cards/:card/life': ['not_found'],
  'POST /v1/cards/:card/look-up': ['not_found', 'other_branch'],
  'POST /v1/cards/:card/moves': ['conditions_not_met', 'holder_rule', 'not_found', 'other_branch'],
  'POST /v1/cards/:card/holder': ['conditions_not_met', 'not_found', 'other_branch'],
  'POST /v1/cards/:card/replacement': [
    'amount_wrong', 'conditions_not_met', 'holder_rule', 'not_found', 'other_branch', 'registry_invalid'
  ],
  'GET /v1/cards/:card/replacement': ['not_found'],
  'POST /v1/cards/:card/return': [
    'amount_wrong', 'conditions_not_met', 'holder_rule', 'not_found', 'other_branch', 'registry_invalid'
  ],
  'GET /v1/cards/:card/return': ['not_found'],
  'POST /v1/cards/:card/return/payment': [
    'amount_wrong', 'conditions_not_met', 'holder_rule', 'not_found', 'other_branch', 'registry_invalid'
  ],
  'POST /v1/cards/:card/found': ['not_found'],
  'POST /v1/cards/:card/fetched': ['conditions_not_met', 'not_found', 'other_branch'],
  'POST /v1/cards/:card/phones': ['conditions_not_met', 'not_found', 'other_branch', 'registry_invalid'],
  'POST /v1/cards/:card/phones/:phone/end': ['conditions_not_met', 'not_found', 'other_branch'],
  'GET /v1/cards/:card/codes': ['not_found'],
  'POST /v1/codes': ['conditions_not_met', 'not_found', 'too_early'],
  'POST /v1/holders': ['conditions_not_met'],
  'POST /v1/holders/look-up': ['not_found', 'other_branch'],
  'POST /v1/holders/:holder/reveal': ['not_found', 'other_branch'],
  'POST /v1/holders/:holder/activation': ['not_found', 'other_branch'],
  'POST /v1/holders/:holder/lock': ['not_found', 'other_branch'],
  'POST /v1/my/activation': ['credentials_wrong', 'forbidden', 'password_weak'],
  'POST /v1/my/session': ['credentials_wrong', 'forbidden'],
  'PUT /v1/my/session/password': ['credentials_wrong', 'password_weak'],
  'GET /v1/my/cards/:card': ['not_found'],
  'POST /v1/my/data': [],
  'POST /v1/my/cards/:card/moves': ['conditions_not_met', 'not_found'],
  'POST /v1/my/cases': [
    'amount_wrong', 'cannot_return_twice', 'conditions_not_met', 'dispute_unfinished', 'holder_rule',
    'not_found'
  ],
  'GET /v1/my/cases/:case': ['not_found'],
  'DELETE /v1/my/cases/:case': ['conditions_not_met', 'not_found'],
  'GET /v1/cases/:case': ['not_found', 'other_branch'],
  'POST /v1/cases/:case/proposal': [
    'amount_wrong', 'cannot_return_twice', 'conditions_not_met', 'dispute_unfinished', 'holder_rule',
    'not_found', 'other_branch', 'proposal_pending'
  ],
  'POST /v1/cases/:case/answer': ['conditions_not_met', 'not_found', 'other_branch'],
  'GET /v1/my/cards/:card/journeys': ['not_found'],
  'GET /v1/my/cards/:card/receipts/:counter': ['not_found'],
  'GET /v1/my/cards/:card/services': ['not_found'],
  'POST /v1/card-applications': ['conditions_not_met', 'not_found', 'other_branch'],
  'POST /v1/card-applications/:application/moves': [
    'conditions_not_met', 'holder_rule', 'not_found', 'other_branch'
  ],
  'POST /v1/social-security/cards/:card/messages': ['conditions_not_met', 'not_found', 'request_conflict'],
  'POST /v1/social-security/applications/:application/messages': [
    'conditions_not_met', 'not_found', 'request_conflict'
  ],
  'POST /v1/issuing/batches': ['conditions_not_met', 'other_branch', 'registry_invalid'],
  'GET /v1/issuing/batches/:batch': ['not_found'],
  'GET /v1/issuing/batches/:batch/cards': ['not_found'],
  'POST /v1/issuing/steps': ['conditions_not_met', 'not_found'],
  'POST /v1/issuing/outcomes': ['not_found'],
  'GET /v1/national/outbound/:batch': ['not_found'],
  'POST /v1/national/outbound/:batch/receipt': ['conditions_not_met', 'not_found'],
  'POST /v1/national/returns': ['request_conflict'],
  'POST /v1/blacklist': ['not_found', 'other_branch', 'proposal_pending', 'registry_invalid'],
  'GET /v1/blacklist-files/:file': ['not_found'],
  'POST /v1/tariffs': ['other_branch', 'proposal_pending', 'registry_invalid'],
  'POST /v1/services/transit/tariffs': ['other_branch', 'proposal_pending', 'registry_invalid'],
  'GET /v1/services/transit/quotes': ['not_found'],
  'GET /v1/services/transit/passes': ['not_found'],
  'GET /v1/services/transit/cards/:card/journeys': ['not_found'],
  'PUT /v1/services/transit/cards/:card/concessions': ['not_found', 'other_branch'],
  'POST /v1/parameters/applied': ['conditions_not_met', 'not_found', 'registry_invalid'],
  'POST /v1/terminals/enrolments': [
    'conditions_not_met', 'other_branch', 'proposal_pending', 'registry_invalid'
  ],
  'POST /v1/terminals/withdrawals': ['other_branch', 'registry_invalid'],
  'POST /v1/terminals/events/:event/handled': ['not_found'],
  'GET /v1/terminals/:operator/:terminal': ['not_found'],
  'GET /v1/terminals/:operator/:terminal/held': ['not_found'],
  'POST /v1/records': ['delivery_conflict'],
  'POST /v1/requests': ['request_conflict'],
  'PUT /v1/files/:name': [
    'file_name_invalid', 'file_record_length_wrong', 'file_sequence_used', 'file_header_invalid',
    'file_count_wrong', 'file_total_wrong', 'file_digest_wrong'
  ],
  'GET /v1/files/:name': ['not_found'],
  'GET /v1/files/:name/SS': ['not_found'],
  'GET /v1/operators/:party/QS/:date': ['not_found'],
  'GET /v1/operators/:party/SS/:date': ['not_found'],
  'GET /v1/operators/:party/NS/:date': ['not_found'],
  'GET /v1/cards/:card': ['not_found'],
  'GET /v1/cards/:card/statement': ['not_found'],
  'POST /v1/cards/:card/readings': ['not_found'],
  'GET /v1/records': ['not_found'],
  'GET /v1/accounts/:account/statement': ['not_found'],
  'GET /v1/days/:date': ['not_found'],
  'POST /v1/days/:date/close': ['check_failed', 'day_state', 'not_found'],
  'POST /v1/days/:date/approvals': ['approval_stale', 'day_state', 'float_off', 'not_found', 'self_approval'],
  'POST /v1/days/:date/instruct': ['approval_stale', 'day_state', 'not_found'],
  'GET /v1/positions/:date': ['not_found'],
  'GET /v1/positions/:date/:party/:book': ['not_found'],
  'GET /v1/positions/:date/:party/:book/batches': ['not_found'],
  'GET /v1/batches/:batch': ['not_found'],
  'GET /v1/batches/:batch/lines': ['not_found'],
  'GET /v1/deliveries/:delivery/lines/:line': ['not_found'],
  'GET /v1/cards/:card/chain': ['not_found'],
  'GET /v1/journals/:journal': ['not_found'],
  'GET /v1/transfers/:transfer': ['not_found'],
  'GET /v1/ledger/:date': ['not_found'],
  'GET /v1/statements/:party/:date': ['not_found'],
  'GET /v1/instructions/:date/pain001': ['bank_account_missing', 'not_found'],
  'GET /v1/instructions/:date/csv': ['bank_account_missing', 'not_found'],
  'POST /v1/instructions/:date/replacements': ['day_state', 'not_found'],
  'POST /v1/bank-statements': ['bank_account_unknown', 'bank_file_invalid', 'statement_conflict'],
  'POST /v1/reconciliation/:date': ['not_found'],
  'POST /v1/terminal-totals': ['delivery_conflict', 'registry_invalid'],
  'POST /v1/party-positions': ['not_found'],
  'POST /v1/items/:id/owner': ['item_closed', 'not_found', 'registry_invalid'],
  'POST /v1/items/:id/note': ['item_closed', 'not_found', 'registry_invalid'],
  'POST /v1/items/:id/close': ['item_closed', 'not_found', 'registry_invalid'],
  'POST /v1/items': ['item_closed', 'not_found', 'registry_invalid'],
  'GET /v1/proofs': ['not_found'],
  'GET /v1/consistency': ['not_found'],
  'GET /v1/statistics/:date/fare_transactions.csv': ['day_state', 'not_found'],
  'GET /v1/statistics/:date/station_activities.csv': ['day_state', 'not_found'],
  'POST /v1/days/:date/archive': ['day_state', 'not_found'],
  'GET /v1/days/:date/archive.tar': ['not_found'],
  'POST /v1/treasury/claims': ['conditions_not_met', 'day_state', 'registry_invalid'],
  'GET /v1/treasury/claims/:claim': ['not_found'],
  'GET /v1/treasury/claims/:claim/document': ['not_found'],
  'PUT /v1/services/:service/parties/:party/rules': ['day_state', 'not_found', 'registry_invalid'],
  'POST /v1/services/:service/parties/:party/events': [
    'charge_conflict', 'conditions_not_met', 'dispute_unfinished', 'not_found', 'proposal_pending',
    'registry_invalid', 'request_conflict'
  ],
  'GET /v1/services/:service/parties/:party/events': ['not_found'],
  'PUT /v1/library/:party/rules': ['day_state', 'not_found'],
  'PUT /v1/library/:party/catalogue': ['not_found', 'registry_invalid'],
  'POST /v1/library/:party/patrons/look-up': ['conditions_not_met', 'not_found'],
  'POST /v1/library/:party/patrons/block': ['conditions_not_met', 'not_found'],
  'POST /v1/library/:party/patrons/enable': ['conditions_not_met', 'not_found'],
  'POST /v1/library/:party/checkouts': ['conditions_not_met', 'not_found'],
  'POST /v1/library/:party/checkins': ['conditions_not_met', 'not_found'],
  'POST /v1/library/:party/renewals': ['conditions_not_met', 'not_found'],
  'POST /v1/library/:party/holds': ['conditions_not_met', 'not_found'],
  'GET /v1/library/:party/items/:item': ['conditions_not_met', 'not_found'],
  'PUT /v1/library/:party/items/:item': ['conditions_not_met', 'not_found'],
  'POST /v1/library/:party/payments': [
    'charge_conflict', 'conditions_not_met', 'dispute_unfinished', 'not_found', 'proposal_pending',
    'registry_invalid', 'request_conflict'
  ],
  'GET /v1/library/:party/payments': ['not_found'],
  'POST /v1/clinic/rules': ['other_branch', 'proposal_pending', 'registry_invalid'],
  'PUT /v1/clinic/persons': ['registry_invalid'],
  'POST /v1/clinic/:party/persons/look-up': ['not_found'],
  'PUT /v1/clinic/:party': ['not_found'],
  'PUT /v1/clinic/:party/national': ['not_found'],
  'POST /v1/clinic/:party/national': clinicMoney,
  'POST /v1/clinic/:party/looks': ['conditions_not_met', 'not_found'],
  'POST /v1/clinic/:party/settlements': clinicMoney,
  'POST /v1/clinic/:party/cancellations': clinicMoney,
  'POST /v1/clinic/:party/reversals': clinicMoney,
  'GET /v1/clinic/:party/messages/:message': ['not_found'],
  'GET /v1/clinic/:party/settlements': ['not_found'],
  'GET /v1/clinic/:party/settlements/:settlement/explanation': ['not_found'],
  'POST /v1/proposals': [
    'account_not_empty', 'amount_wrong', 'cannot_return_twice', 'charge_conflict', 'conditions_not_met',
    'day_state', 'dispute_state', 'dispute_unfinished', 'holder_rule', 'item_closed', 'not_found',
    'other_branch', 'prior_step_missing', 'proposal_pending', 'registry_invalid', 'too_early'
  ],
  'GET /v1/proposals/:id': ['not_found'],
  'POST /v1/proposals/:id/decisions': [
    'account_not_empty', 'amount_wrong', 'approval_stale', 'cannot_return_twice', 'charge_conflict',
    'conditions_not_met', 'day_state', 'dispute_state', 'dispute_unfinished', 'holder_rule', 'item_closed',
    'not_found', 'other_branch', 'prior_step_missing', 'proposal_over', 'registry_invalid', 'self_approval',
    'too_early'
  ],
  'DELETE /v1/proposals/:id': ['not_found', 'proposal_over'],
  'GET /v1/audit/proof': ['not_found'],
  'POST /v1/refunds': [
    'amount_wrong', 'cannot_return_twice', 'charge_conflict', 'conditions_not_met', 'dispute_unfinished',
    'not_found', 'other_branch', 'proposal_pending', 'registry_invalid'
  ],
  'POST /v1/disputes': [
    'amount_wrong', 'cannot_return_twice', 'conditions_not_met', 'deadline_passed', 'dispute_over',
    'dispute_unfinished', 'not_found', 'other_branch', 'too_early'
  ],
  'GET /v1/disputes/:id': ['not_found'],
  'POST /v1/disputes/:id/answer': [
    'answer_deadline_passed', 'dispute_state', 'not_found', 'other_branch', 'prior_step_missing',
    'self_approval'
  ],
  'POST /v1/disputes/:id/decision': [
    'amount_wrong', 'cannot_return_twice', 'conditions_not_met', 'dispute_state', 'not_found',
    'other_branch', 'prior_step_missing', 'registry_invalid', 'self_approval', 'too_early'
  ],
  'POST /v1/disputes/:id/escalation': [
    'deadline_passed', 'dispute_state', 'not_found', 'other_branch', 'prior_step_missing'
  ],
  'GET /v1/exports/records.csv': ['not_found'],
  'GET /v1/exports/records.xlsx': ['not_found'],
  'POST /v1/webhooks': ['webhook_invalid'],
  'DELETE /v1/webhooks/:id': ['not_found'],
  'GET /v1/webhooks/:id/secret': ['not_found'],
  'PUT /v1/webhooks/:id/secret': ['not_found'],
  'GET /v1/webhooks/:id/tellings': ['not_found'],
  'POST /v1/webhooks/:id/tellings/:telling/resend': ['not_found']
}

type Declared = Pick<RouteOptions, 'method' | 'url' | 'schema' | 'config'>

/** A response for each status that a refusal can have: a problem with one of its reasons. */
export function problemsOf (route: Declared): Record<string, object> {
  const own = refusals[`${String(route.method)} ${route.url}`] ?? []
  const reasons = [...new Set([...commonRefusals(route), ...own])]
  return Object.fromEntries([...groupBy(reasons, reason => requestReasons[reason].http)]
    .map(([status, its]) => [status, {
      description: its.map(reason => `\`${reason}\`: ${requestReasons[reason].en}`).join('; '),
      content: { 'application/problem+json': { schema: oneOfReasons(its) } }
    }]))
}

const oneOfReasons = (reasons: readonly RequestReason[]): object =>
  ({ allOf: [Problem, { properties: { reason: { enum: reasons } } }] })

/** Given before a handler is reached, or behind any of them. */
export function commonRefusals ({ method, schema, config = {} }: Declared): RequestReason[] {
  const { allow = [], cityWide, keyed } = config
  const hasBody = method !== 'GET'
  const isChecked = hasBody || schema?.params !== undefined || schema?.querystring !== undefined
  const isOpen = allow.includes('everyone')
  return [
    ...isChecked ? ['body_invalid' as const] : [],
    ...isOpen ? [] : ['unauthenticated', 'forbidden'] as const,
    ...isOpen || allow.includes('resident') ? [] : ['password_change_needed'] as const,
    ...cityWide === true ? ['other_branch' as const] : [],
    ...hasBody ? ['too_large', 'unsupported_media_type'] as const : [],
    ...keyed !== undefined ? ['key_in_flight', 'key_reused'] as const : [],
    'internal', 'unavailable'
  ]
}
