// The doors of the ledger that the console knocks at, typed by the schemas that the ledger itself checks
// with.
import type { AlertView } from '../../schemas/alert.ts'
import type { CardStatement } from '../../schemas/account.ts'
import type {
  BlacklistEntry, CardDetail, CardView, DayState, DayView, Instruction, Statement
} from '../../schemas/api.ts'
import type { BlockView } from '../../schemas/card-block.ts'
import type { CardOrderView, NewCardOrder, PinLetter } from '../../schemas/card-order.ts'
import type { CardLookView } from '../../schemas/card-look.ts'
import type { CaseAnswer, CaseView, SupervisionView } from '../../schemas/case.ts'
import type { CardJourneysView, TariffPreview } from '../../schemas/fares.ts'
import type { HolderLook, HolderView } from '../../schemas/holder.ts'
import type { LoadView } from '../../schemas/load.ts'
import type { DisputeRequest, DisputeView, RefundReply, RefundRequest } from '../../schemas/redress.ts'
import type { AuditEntryView, AuditIntegrity } from '../../schemas/audit.ts'
import type { Availability, GatewayView, TerminalEventView, TerminalView } from '../../schemas/estate.ts'
import type { ProposalView } from '../../schemas/proposal.ts'
import type { FloatView, ItemsAction, ItemView, RunView } from '../../schemas/reconciliation.ts'
import type { BankLineView, BankStatementReply, BankStatementView } from '../../schemas/settlement.ts'
import type { OwnSession } from '../../schemas/staff.ts'
import type { TapePrediction, TapePredictionRequest } from '../../schemas/tape-prediction.ts'
import type { TariffDocument } from '../../schemas/tariff/document.ts'
import type {
  BatchLine, BatchView, ChainEntry, PositionBatch, RawLineView, TracedPosition
} from '../../schemas/tracing.ts'
import { call, get, pathOf, type Page, type Query } from './client.ts'

type Whose = { readonly date: string, readonly party: string, readonly book: string }

/** Rows on one page of a table. */
const limit = '50'
/** Of lists whose rows are few by nature: parties, layers of some days. */
const most = '1000'

/** Of a list that is drawn as a whole: more pages than these are left out, and that is said. */
const pagesMax = 12

type Whole<Item> = { readonly items: readonly Item[], readonly isCut: boolean }

async function allOf<Item> (ask: (after: string | null) => Promise<Page<Item>>): Promise<Whole<Item>> {
  const items: Item[] = []
  let after: string | null = null
  for (let page = 0; page < pagesMax; page++) {
    const found: Page<Item> = await ask(after)
    items.push(...found.items)
    if (found.next === null) return { items, isCut: false }
    after = found.next
  }
  return { items, isCut: true }
}

const beforeStatements: readonly DayState[] = ['OPEN', 'CUT', 'VERIFIED']

/** What earlier dates had left open when the statement was issued; null before there is one. */
async function carriedFen ({ date, party, book }: Whose): Promise<{ readonly fen: number } | null> {
  const { state } = await get<DayView>(`/v1/days/${date}`)
  if (beforeStatements.includes(state)) return null
  const { carriedFen: fen = 0 } = await get<Statement>(pathOf(`/v1/statements/${party}/${date}`, { book }))
  return { fen }
}

export const looks = {
  ways: () => get<{ readonly provider: boolean }>('/v1/session/ways'),
  provider: () => get<{ readonly url: string }>('/v1/session/oidc'),
  session: () => get<OwnSession>('/v1/session'),
  days: (before: string | null) => get<Page<DayView>>(pathOf('/v1/days', { before, limit: '14' })),
  waitingDays: () => get<Page<DayView>>(pathOf('/v1/days', { state: 'CLEARED', limit: '14' })),
  day: (date: string) => get<DayView>(`/v1/days/${date}`),
  positions: (date: string) => get<Page<TracedPosition>>(pathOf(`/v1/positions/${date}`, { limit: most })),
  position: ({ date, party, book }: Whose) => get<TracedPosition>(`/v1/positions/${date}/${party}/${book}`),
  carried: carriedFen,
  statement: ({ date, party, book }: Whose) =>
    get<Statement>(pathOf(`/v1/statements/${party}/${date}`, { book })),
  instructions: (date: string) => get<Page<Instruction>>(pathOf(`/v1/instructions/${date}`, { limit: most })),
  batches: ({ date, party, book }: Whose, after: string | null) =>
    get<Page<PositionBatch>>(pathOf(`/v1/positions/${date}/${party}/${book}/batches`, { after, limit })),
  batch: (batch: string) => get<BatchView>(`/v1/batches/${batch}`),
  lines: (batch: string, whose: Query, after: string | null) =>
    get<Page<BatchLine>>(pathOf(`/v1/batches/${batch}/lines`, { ...whose, after, limit })),
  rawLine: (delivery: string, line: string) => get<RawLineView>(`/v1/deliveries/${delivery}/lines/${line}`),
  cards: (query: Query, after: string | null) =>
    get<Page<CardView>>(pathOf('/v1/cards', { ...query, after, limit })),
  card: (card: string) => get<CardDetail>(`/v1/cards/${card}`),
  cardStatement: (card: string, after: string | null) =>
    get<CardStatement>(pathOf(`/v1/cards/${card}/statement`, { after, limit })),
  journeys: (card: string, from: string, until: string) =>
    get<CardJourneysView>(pathOf(`/v1/services/transit/cards/${card}/journeys`, { from, until })),
  tariffs: () => get<readonly TariffDocument[]>('/v1/services/transit/tariffs'),
  loads: (card: string, before: string | null) =>
    get<Page<LoadView>>(pathOf('/v1/loads', { card, before, limit })),
  orders: (card: string, before: string | null) =>
    get<Page<CardOrderView>>(pathOf('/v1/card-orders', { card, before, limit })),
  blocks: (card: string, before: string | null) =>
    get<Page<BlockView>>(pathOf('/v1/card-blocks', { card, before, limit })),
  disputes: (query: Query, before: string | null) =>
    get<Page<DisputeView>>(pathOf('/v1/disputes', { ...query, before, limit })),
  cases: (query: Query, before: string | null) =>
    get<Page<CaseView>>(pathOf('/v1/cases', { ...query, before, limit })),
  supervision: (quarter: string) => get<SupervisionView>(pathOf('/v1/supervision', { quarter })),
  dispute: (id: string) => get<DisputeView>(`/v1/disputes/${id}`),
  alerts: (query: Query, before: string | null) =>
    get<Page<AlertView>>(pathOf('/v1/alerts', { ...query, before, limit })),
  chain: (card: string, after: string | null) =>
    get<Page<ChainEntry>>(pathOf(`/v1/cards/${card}/chain`, { after, limit })),
  items: (query: Query, after: string | null) =>
    get<Page<ItemView>>(pathOf('/v1/items', { ...query, after, limit })),
  proposals: (query: Query, before: string | null) =>
    get<Page<ProposalView>>(pathOf('/v1/proposals', { ...query, before, limit })),
  runs: (from: string, to: string) =>
    get<Page<RunView>>(pathOf('/v1/reconciliation', { from, to, limit: most })),
  float: (date: string) => get<FloatView>(`/v1/float/${date}`),
  statements: (before: string | null) =>
    get<Page<BankStatementView>>(pathOf('/v1/bank-statements', { before, limit })),
  bankLines: (query: Query, before: string | null) =>
    get<Page<BankLineView>>(pathOf('/v1/bank-lines', { ...query, before, limit })),
  terminals: (query: Query, after: string | null) =>
    get<Page<TerminalView>>(pathOf('/v1/terminals', { ...query, after, limit })),
  terminal: (operator: string, terminal: string) =>
    get<TerminalView>(`/v1/terminals/${encodeURIComponent(operator)}/${encodeURIComponent(terminal)}`),
  terminalsOnMap: (query: Query) => allOf(after =>
    get<Page<TerminalView>>(pathOf('/v1/terminals', { ...query, after, limit: most }))),
  terminalEvents: (query: Query, before: string | null) =>
    get<Page<TerminalEventView>>(pathOf('/v1/terminals/events', { ...query, before, limit })),
  availability: (from: string, to: string) =>
    get<Availability>(pathOf('/v1/terminals/availability', { from, to })),
  gateways: () => get<Page<GatewayView>>(pathOf('/v1/terminals/gateways', { limit: most })),
  audit: (query: Query, before: string | null) =>
    get<Page<AuditEntryView>>(pathOf('/v1/audit', { ...query, before, limit })),
  integrity: () => get<AuditIntegrity>('/v1/audit/integrity')
} as const

export const deeds = {
  signIn: (name: string, password: string) =>
    call<OwnSession>('POST', '/v1/session/browser', { json: { name, password } }),
  signOut: () => call<void>('DELETE', '/v1/session', {}),
  changePassword: (old: string, wanted: string) =>
    call<void>('PUT', '/v1/session/password', { json: { old, wanted } }),
  closeDay: (date: string) => call<DayView>('POST', `/v1/days/${date}/close`, {}),
  approveDay: (date: string, digest: string, key: string) =>
    call<DayView>('POST', `/v1/days/${date}/approvals`, { json: { digest }, key }),
  instructDay: (date: string) => call<DayView>('POST', `/v1/days/${date}/instruct`, {}),
  actOnItems: (action: ItemsAction, key: string) =>
    call<{ items: readonly ItemView[] }>('POST', '/v1/items', { json: action, key }),
  propose: (proposal: { kind: string, body: unknown, reason: string }, key: string) =>
    call<ProposalView>('POST', '/v1/proposals', { json: proposal, key }),
  decide: (id: number, approves: boolean, note: string, key: string) =>
    call<ProposalView>('POST', `/v1/proposals/${id}/decisions`, {
      json: { approves, ...note === '' ? {} : { note } }, key
    }),
  withdraw: (id: number) => call<ProposalView>('DELETE', `/v1/proposals/${id}`, {}),
  order: (order: NewCardOrder, key: string) =>
    call<CardOrderView>('POST', '/v1/card-orders', { json: order, key }),
  withdrawOrder: (order: number) => call<CardOrderView>('POST', `/v1/card-orders/${order}/withdrawal`, {}),
  pin: (order: number) => call<PinLetter>('POST', `/v1/card-orders/${order}/pin`, {}),
  list: (entry: BlacklistEntry, key: string) =>
    call<unknown>('POST', '/v1/blacklist', { json: { add: [entry], remove: [] }, key }),
  refund: (refund: RefundRequest, key: string) =>
    call<RefundReply>('POST', '/v1/refunds', { json: refund, key }),
  dispute: (dispute: DisputeRequest, key: string) =>
    call<DisputeView>('POST', '/v1/disputes', { json: dispute, key }),
  answerDispute: (id: number, stance: string, words: string, key: string) =>
    call<DisputeView>('POST', `/v1/disputes/${id}/answer`, { json: { stance, words }, key }),
  decideDispute: (id: number, accepts: boolean, words: string, key: string) =>
    call<DisputeView>('POST', `/v1/disputes/${id}/decision`, { json: { accepts, words }, key }),
  escalateDispute: (id: number, words: string, key: string) =>
    call<DisputeView>('POST', `/v1/disputes/${id}/escalation`, { json: { words }, key }),
  previewTariff: (day: string, document: unknown) =>
    call<TariffPreview>('POST', '/v1/services/transit/previews', { json: { day, document } }),
  predictTape: (tape: TapePredictionRequest) =>
    call<TapePrediction>('POST', '/v1/tapes/predictions', { json: tape }),
  lookAtCard: (card: string, reason: string) =>
    call<CardLookView>('POST', `/v1/cards/${card}/look-up`, { json: { reason } }),
  lookUpHolder: (look: HolderLook) => call<HolderView>('POST', '/v1/holders/look-up', { json: look }),
  reportOrally: (card: string, reason: string, key: string) =>
    call<unknown>('POST', `/v1/cards/${card}/moves`, { json: { move: 'report_orally', reason }, key }),
  takeUpCase: (no: number, key: string) => call<CaseView>('POST', `/v1/cases/${no}/proposal`, { key }),
  answerCase: (no: number, outcome: CaseAnswer['outcome'], words: string, key: string) =>
    call<CaseView>('POST', `/v1/cases/${no}/answer`, { json: { outcome, words }, key }),
  handleEvent: (event: number, note: string, key: string) =>
    call<void>('POST', `/v1/terminals/events/${event}/handled`, { json: { note }, key }),
  reconcile: (date: string) => call<{ items: readonly RunView[] }>('POST', `/v1/reconciliation/${date}`, {}),
  takeStatement: (type: string, content: Blob) =>
    call<BankStatementReply>('POST', '/v1/bank-statements', { bytes: { type, content } })
} as const
