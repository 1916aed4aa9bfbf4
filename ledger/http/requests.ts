// The door for online requests.
import {
  NewRequest, RequestReply, type MoneyRequest, type RequestReply as Reply
} from '../../schemas/request.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { readOnline, requestDesk } from '../posting/requests.ts'
import { readOpenDay } from '../store/days.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'

export const requestRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  const answer = requestDesk(ledger)

  app.post('/v1/requests', {
    config: {
      allow: ['gateway', 'operator', 'agent'], repeated: 'The same `key` gets its first answer again.'
    },
    schema: { body: NewRequest, response: { 200: RequestReply } }
  }, async request => {
    const { id, party, capacities } = callerIn(request)
    const asked = request.body
    if (asked.kind === 'balance') return await tellBalance(ledger, asked)
    requireOwn(party, asked)
    if (asked.by === undefined) return await answer({ client: id, party, request: asked })
    if (!capacities.includes('gateway')) {
      throw new Refusal('forbidden', `${id} is no gateway: its keys are its own`, '/by')
    }
    return await answer({ client: `@${asked.by}`, party, request: asked })
  })
}

/** A company's client asks for its own company; what it may take back is looked up with the original. */
function requireOwn (party: string | null, asked: MoneyRequest): void {
  if (party === null || 'of' in asked || asked.party === party) return
  throw new Refusal('forbidden', `a client of ${party} cannot ask for ${asked.party}`, '/party')
}

async function tellBalance (
  ledger: Ledger, { key, kind, card }: Extract<NewRequest, { kind: 'balance' }>
): Promise<Reply> {
  const clearingDate = await readOpenDay(ledger.db)
  if (clearingDate === null) throw new Refusal('unavailable', 'no clearing date is set yet')
  const found = await readOnline(ledger, card)
  const told = typeof found === 'string'
    ? { outcome: 'declined' as const, reason: found, balanceFen: null }
    : { outcome: 'approved' as const, reason: 'ok' as const, balanceFen: Number(found) }
  return { key, kind, replayed: false, amountFen: 0, journal: null, clearingDate, ...told }
}
