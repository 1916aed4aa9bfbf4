// What others tell of their own side: totals of terminals, positions of parties, settlements of the medical
// centre. It is stored as told; a run of reconciliation compares it. It refuses to post anything.
import type {
  MedicalTotals, PartyPosition, TerminalCheck, TerminalTotals
} from '../../schemas/reconciliation.ts'
import { audit } from '../people/audit.ts'
import type { ClassTotal } from '../core/terminal-check.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { checkOf, receivedOf } from './terminals.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction } from '../store/db.ts'
import {
  saveMedicalTotals, savePartyPosition, saveTerminalTotal, type TerminalTotalRow
} from '../store/reconciliation.ts'

/**
 * Stores a terminal's totals and answers at once how they compare with what has been received; the same batch
 * again is checked again. Throws Refusal registry_invalid for a terminal or PSAM that is not the operator's,
 * delivery_conflict for other totals of a batch that is known.
 */
export async function takeTerminalTotals (
  ledger: Ledger, told: TerminalTotals, by: string
): Promise<TerminalCheck> {
  const { terminals, terminalById, partyById, psams } = await ledger.registry()
  const terminal = terminals.get(told.terminal)
    ?.find(one => partyById.get(one.partyId)?.code === told.operator)
  if (terminal === undefined) {
    throw new Refusal('registry_invalid', `${told.operator} has no terminal ${told.terminal}`, '/terminal')
  }
  const psam = psams.get(told.psam)?.find(one => one.issue === told.issue)
  const bound = terminalById.get(psam?.terminalId ?? -1)
  if (psam === undefined || bound?.partyId !== terminal.partyId) {
    throw new Refusal('registry_invalid', `${told.operator} has no PSAM ${told.psam}`, '/psam')
  }
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    const row = {
      terminalId: terminal.terminalId, batch: told.batch, psamId: psam.psamId, clearingDate,
      fromSequence: BigInt(told.fromSequence), toSequence: BigInt(told.toSequence),
      totals: { consume: total(told.consume), return: total(told.return), load: total(told.load) },
      records: told.records?.map(one =>
        ({ sequence: BigInt(one.sequence), amountFen: BigInt(one.amountFen) })) ?? null
    }
    const stored = await saveTerminalTotal(tx, row, atMs, by)
    if (!sameTotals(stored, row)) {
      throw new Refusal('delivery_conflict',
        `batch ${told.batch} of ${told.terminal} was told otherwise before`)
    }
    return checkOf(stored, await receivedOf(tx, stored))
  })
}

const total = ({ count, amountFen }: { count: number, amountFen: number }): ClassTotal =>
  ({ count, amountFen: BigInt(amountFen) })

type Told = Pick<TerminalTotalRow, 'psamId' | 'fromSequence' | 'toSequence' | 'totals'>
const sameTotals = (one: Told, other: Told): boolean => textOf(one) === textOf(other)
const textOf = ({ psamId, fromSequence, toSequence, totals }: Told): string =>
  [psamId, fromSequence, toSequence, ...[totals.consume, totals.return, totals.load]
    .flatMap(({ count, amountFen }) => [count, amountFen])].join()

/** Stores what a party thinks its position is, instead of what it told before. Throws Refusal not_found. */
export async function takePartyPosition (ledger: Ledger, told: PartyPosition, by: string): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    if (!await savePartyPosition(tx, told, atMs, by)) {
      throw new Refusal('not_found', `there is no party ${told.party}`, '/party')
    }
    const { party, date, claimsFen, items = [] } = told
    const detail = { claimsFen, items: items.length }
    await audit(tx, atMs, { by, action: 'position.tell', subject: `position/${date}/${party}`, detail })
  })
}

/** Stores what the medical insurance centre says it settled. */
export async function takeMedicalTotals (ledger: Ledger, told: MedicalTotals, by: string): Promise<void> {
  const atMs = ledger.clock.now()
  const names = told.items.map(({ settlement }) => settlement)
  const again = names.findIndex((name, index) => names.indexOf(name) !== index)
  if (again >= 0) throw new Refusal('body_invalid', `${names[again]} is told twice`, `/items/${again}`)
  await inTransaction(ledger.db, async tx => {
    await saveMedicalTotals(tx, told.date, told.items, atMs, by)
    const detail = { items: told.items.length }
    await audit(tx, atMs, { by, action: 'medical.tell', subject: `day/${told.date}`, detail })
  })
}
