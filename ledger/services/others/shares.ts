// What one merchant sold for many: shared by what happened at each place in a period that is over, by the
// largest remainder, by four eyes. It refuses to know any service.
import { Type, type Static } from 'typebox'
import { addDays, localDate, startOfDate } from '../../../runtime/instants.ts'
import { LocalDate } from '../../../schemas/api.ts'
import { ServiceName } from '../../../schemas/service.ts'
import { rateOf, split } from '../../core/rounding.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import type { ProposalKind } from '../../people/proposals.ts'
import { postGuarded } from '../../posting/post-guarded.ts'
import { Refusal } from '../../refusal.ts'
import { branchesOfParties } from '../../store/branches.ts'
import type { Tx } from '../../store/db.ts'
import { accountId } from '../../store/registry.ts'
import { countByPlace, insertShare, lockShares, salesOf, type SharePart } from '../../store/service-shares.ts'
import { readServiceRules } from '../../store/services.ts'
import { serviceOf } from './declared.ts'
import { rulesOn } from './serve.ts'
import { partyOf } from './set-up.ts'

const ServiceShare = Type.Object({
  service: ServiceName, party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'who sold' }),
  from: LocalDate,
  until: Type.Unsafe<string>({ ...LocalDate, description: 'the last day; it is over' })
}, { additionalProperties: false })
type ServiceShare = Static<typeof ServiceShare>

export const serviceShareKind: ProposalKind = {
  body: ServiceShare,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { party }: ServiceShare) => await branchesOfParties(tx, [party]),
  subject: ({ service, party, from }: ServiceShare) => `${service}/${party}/${from}`,
  look: async (tx, ledger, body: ServiceShare) => {
    await openDateOf(tx)
    const { poolFen, parts } = await sharesIn(tx, ledger, body)
    return { poolFen: Number(poolFen), parts }
  },
  carryOut: async (tx, ledger, body: ServiceShare, { atMs }) => {
    const clearingDate = await openDateOf(tx)
    const { partyId, poolFen, parts } = await sharesIn(tx, ledger, body)
    const snapshot = await ledger.registry()
    const pending = (party: string): number => accountId(snapshot, 'commerce', 'merchant-pending', party)
    const transfers = parts.filter(({ place, fen }) => place !== body.party && fen > 0)
      .map(({ place, fen }) => ({
        debit: pending(body.party), credit: pending(place), bucket: 0, cardId: null,
        book: 'commerce' as const, code: 'revenue_share' as const, amountFen: BigInt(fen), eventAtMs: atMs,
        corrects: null
      }))
    const isClosed = transfers.some(({ debit, credit }) =>
      snapshot.closed.has(debit) || snapshot.closed.has(credit))
    if (isClosed) throw new Refusal('registry_invalid', 'the account of a place is closed')
    const { results: [result] } = await postGuarded(tx, {
      kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1
    }, [{ transfers }], { accounts: snapshot.guarded, ceilingOf: () => null })
    if (result?.outcome !== 'posted') throw new Error('what parties earn is not guarded')
    const journalId = result.transferIds[0] ?? null
    await insertShare(tx, { partyId, ...body, poolFen, parts, journalId, atMs })
    return { journal: journalId === null ? null : String(journalId) }
  }
}

type Shared = { readonly partyId: number, readonly poolFen: bigint, readonly parts: readonly SharePart[] }

/** Sales less what the seller keeps of each day's rules; to whom nobody came, nothing. */
async function sharesIn (
  tx: Tx, ledger: Ledger, { service: name, party, from, until }: ServiceShare
): Promise<Shared> {
  const { share } = serviceOf(name)
  if (share === undefined) throw new Refusal('body_invalid', `nothing of ${name} is shared`, '/body/service')
  if (until < from) throw new Refusal('body_invalid', 'it ends before it begins', '/body/until')
  if (until >= localDate(ledger.clock.now())) {
    throw new Refusal('conditions_not_met', `${until} is not over`, '/body/until')
  }
  const partyId = await partyOf(ledger, party, '/body/party')
  const of = { partyId, service: name }
  const overlaps = await lockShares(tx, of, { from, until })
  if (overlaps !== null) throw new Refusal('charge_conflict', `${overlaps} is shared already`, '/body/from')
  const period = { fromMs: startOfDate(from), untilMs: startOfDate(addDays(until, 1)) }
  const rules = await readServiceRules(tx, of)
  const sales = await salesOf(tx, of, share.sold, period)
  const keptFen = sales.reduce((sum, { rulesFrom, fen }) =>
    sum + rateOf(fen, share.sellerPpm(rulesOn(rules, rulesFrom)?.rules)), 0n)
  const poolFen = sales.reduce((sum, { fen }) => sum + fen, 0n) - keptFen
  if (poolFen < 0n) {
    const what = `${-poolFen} fen more were taken back than sold: share them with later days`
    throw new Refusal('conditions_not_met', what, '/body/until')
  }
  const places = await countByPlace(tx, of, share.counted, period)
  if (places.length === 0) {
    return { partyId, poolFen, parts: [{ place: party, count: 0, fen: Number(poolFen) }] }
  }
  const fens = split(poolFen, places.map(({ count }) => BigInt(count)))
  return { partyId, poolFen, parts: places.map((place, at) => ({ ...place, fen: Number(fens[at] ?? 0n) })) }
}
