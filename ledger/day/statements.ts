// What each party is told of a cleared date: one statement per book, under a signed head that covers the
// clearing. It refuses to know whether anybody has approved it yet.
import type { SignedHead, Statement } from '../../schemas/api.ts'
import { audit } from '../people/audit.ts'
import { claimCodes, transferCodes, type Heading } from '../core/chart.ts'
import { isSettling, type Charge, type Movement, type Position } from '../core/settlement.ts'
import type { Ledger } from '../ledger.ts'
import { inTransaction } from '../store/db.ts'
import { news, tell } from '../store/outbox.ts'
import type { PartyRow } from '../store/registry.ts'
import { insertGiven } from '../store/tree.ts'
import {
  countMissingStatements, insertStatements, readCharges, readMovements, readOpenNets, readPositions
} from '../store/settlement.ts'

/** Writes the statements of a cleared date that are missing; those that stand stay as they are. */
export async function issueStatements (ledger: Ledger, date: string): Promise<void> {
  if (await countMissingStatements(ledger.db, date) === 0) return
  const { parties } = await ledger.registry()
  const head = await ledger.sealer.seal()
  await inTransaction(ledger.db, async tx => {
    const movements = await readMovements(tx, date)
    const positions = await readPositions(tx, date)
    const charges = await readCharges(tx, date)
    const open = await readOpenNets(tx, [])
    const issued = await insertStatements(tx, positions.flatMap(position => {
      const party = parties.get(position.party)
      const isOwn = ({ book, party }: { readonly book: string, readonly party: string | null }) =>
        book === position.book && party === position.party
      const carriedFen = open.find(isOwn)?.openFen ?? 0n
      const of = { movements: movements.filter(isOwn), charges: charges.filter(isOwn), head, carriedFen }
      return party === undefined
        ? []
        : [{ book: position.book, statement: statementOf(party, date, position, of) }]
    }))
    if (Object.keys(issued).length === 0) return
    await insertGiven(tx, head)
    await tell(tx, positions.filter(({ book, party }) => `${book}/${party}` in issued)
      .map(({ book, party, netFen }) => news({
        topic: 'statement.ready', subject: `statement/${party}/${date}/${book}`, party,
        data: { date, party, book, netFen: Number(netFen) }
      })), ledger.clock.now())
    const deed = { by: 'system', action: 'statement.issue', subject: `day/${date}`, detail: issued }
    await audit(tx, ledger.clock.now(), deed)
  })
}

function statementOf (
  party: PartyRow, date: string, position: Position,
  { movements, charges, head, carriedFen }: {
    readonly movements: readonly Movement[], readonly charges: readonly Charge[], readonly head: SignedHead
    readonly carriedFen: bigint
  }
): Statement {
  const at = (heading: Heading) =>
    movements.filter(movement => movement.heading === heading && !isSettling(movement.code))
  const pending = at('merchant-pending')
  const firsts: readonly number[] = claimCodes.first
  const isFirst = ({ code }: Movement) => firsts.includes(code)
  const isReturned = ({ code }: Movement) => code === transferCodes.chargeback
  const isPaidIn = ({ code }: Movement) => code === transferCodes.agent_pay_in
  const receivable = at('receivable-agent')
  const paidIn = receivable.filter(isPaidIn)
  const returned = [...pending, ...receivable].filter(isReturned)
  const returnedFen = creditedBy(pending.filter(isReturned)) // what a centre returned is part of what it owes
  const adjusted = [...pending.filter(one => !isFirst(one) && !isReturned(one)), ...at('merchant-settlement')]
  const taken = receivable.filter(one => !isPaidIn(one) && !isReturned(one))
  const takenFen = -position.loadsFen - creditedBy(paidIn) - creditedBy(receivable.filter(isReturned))
  /** By product; the house, which earns what the others pay, has one line for all. */
  const commissions = (base: Charge['base'], text: string, sign: bigint) => {
    if (charges.length === 0) {
      return [line(text, [], sign * (base === 'debit' ? position.commissionFen : position.loadCommissionFen))]
    }
    return charges.filter(charge => charge.base === base)
      .map(charge => line(named(text, charge), [], sign * charge.commissionFen))
  }
  const lines = [
    line('消费清分 accepted debits', pending.filter(isFirst), position.claimsFen),
    line('调整 adjustments', adjusted, position.adjustmentsFen - returnedFen),
    line('异地卡退单 chargebacks', returned, creditedBy(returned)),
    ...commissions('debit', '手续费 commission', -1n),
    line(party.kind === 'centre'
      ? '异地卡消费 debits of cards of other cities'
      : '代收充值及押金 loads and deposits taken', taken, takenFen),
    line('已缴款 paid in', paidIn, creditedBy(paidIn)),
    ...commissions('load', '充值手续费 commission on loads', 1n)
  ].filter(({ amountFen, count }, index) => index === 0 || amountFen !== 0 || count !== 0)
  const netFen = Number(position.netFen)
  const { code, nameZh, nameEn } = party
  const carried = carriedFen === 0n ? {} : { carriedFen: Number(carriedFen) }
  return { party: code, date, nameZh, nameEn, lines, netFen, ...carried, head }
}

const line = (text: string, of: readonly Movement[], amountFen: bigint): Statement['lines'][number] =>
  ({ text, count: of.reduce((sum, movement) => sum + movement.count, 0), amountFen: Number(amountFen) })

/** `commission 0.30 %`; a finer product says which. */
const named = (text: string, { product, base, ratePpm }: Charge): string => {
  const decimals = String(ratePpm % 10_000).padStart(4, '0').replace(/0{1,2}$/, '')
  return `${text}${product === base ? '' : ` ${product}`} ${Math.floor(ratePpm / 10_000)}.${decimals} %`
}

const creditedBy = (movements: readonly Movement[]): bigint =>
  movements.reduce((sum, movement) => sum + movement.creditFen - movement.debitFen, 0n)
