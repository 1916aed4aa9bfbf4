// What each party is told of a cleared date: one statement per book, under a signed head that covers the
// clearing. It refuses to know whether anybody has approved it yet.
import type { SignedHead, Statement } from '../schemas/api.ts'
import { claimCodes } from './core/chart.ts'
import type { Movement, Position } from './core/settlement.ts'
import type { Ledger } from './ledger.ts'
import { inTransaction } from './store/db.ts'
import type { PartyRow } from './store/registry.ts'
import { countMissingStatements, insertStatements, readMovements, readPositions } from './store/settlement.ts'

/** Writes the statements of a cleared date that are missing; those that stand stay as they are. */
export async function issueStatements (ledger: Ledger, date: string): Promise<void> {
  if (await countMissingStatements(ledger.db, date) === 0) return
  const { parties } = await ledger.registry()
  const head = await ledger.sealer.seal()
  await inTransaction(ledger.db, async tx => {
    const movements = await readMovements(tx, date)
    const positions = await readPositions(tx, date)
    await insertStatements(tx, positions.flatMap(position => {
      const party = parties.get(position.party)
      const own = movements.filter(({ book, party }) => book === position.book && party === position.party)
      return party === undefined
        ? []
        : [{ book: position.book, statement: statementOf(party, date, position, own, head) }]
    }))
  })
}

function statementOf (
  party: PartyRow, date: string, position: Position, movements: readonly Movement[], head: SignedHead
): Statement {
  const pending = movements.filter(movement => movement.heading === 'merchant-pending')
  const receivable = movements.filter(movement => movement.heading === 'receivable-agent')
  const firsts: readonly number[] = claimCodes.first
  const adjusted: readonly number[] = claimCodes.adjusted
  const line = (text: string, of: readonly Movement[], amountFen: bigint) =>
    ({ text, count: of.reduce((sum, movement) => sum + movement.count, 0), amountFen: Number(amountFen) })
  const lines = [
    line('消费清分 accepted debits', pending.filter(({ code }) => firsts.includes(code)), position.claimsFen),
    line('调整 adjustments', pending.filter(({ code }) => adjusted.includes(code)), position.adjustmentsFen),
    line('手续费 commission', [], -position.commissionFen),
    line('代收充值及押金 loads and deposits taken', receivable, -position.loadsFen),
    line('充值手续费 commission on loads', [], position.loadCommissionFen)
  ].filter(({ amountFen, count }, index) => index === 0 || amountFen !== 0 || count !== 0)
  const netFen = Number(position.netFen)
  return { party: party.code, date, nameZh: party.nameZh, nameEn: party.nameEn, lines, netFen, head }
}
