// What the services of the city know of a resident's card: bills of clinics split by who paid, debts at
// libraries, annual passes. It refuses to know whose the card is, and changes nothing.
import type { OwnBill, OwnLibrary, OwnServices } from '../../schemas/own.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Ledger } from '../ledger.ts'
import { inTransaction, joined, type Tx } from '../store/db.ts'
import { readRules } from '../store/library.ts'
import { billsOfCard, readersOfCard, subjectsOfCard, type BillRow, type ReaderRow } from '../store/own.ts'
import type { CardPlace } from '../store/parameters.ts'
import { splitFrom } from './clinic/stored.ts'
import { explanationView, splitView } from './clinic/views.ts'
import { openLibrary, readerOf, viewLoan } from './library/reader.ts'
import type { PassState } from './others/annual-pass.ts'

const billsShown = 30

export async function ownServices (
  ledger: Ledger, card: CardRef, place: CardPlace
): Promise<OwnServices> {
  const snapshot = await ledger.registry()
  return await inTransaction(ledger.db, async tx => {
    const inside: Ledger = { ...ledger, db: joined(tx), registry: async () => snapshot }
    const libraries: OwnLibrary[] = []
    for (const reader of await readersOfCard(tx, place)) {
      libraries.push(...await libraryOf(tx, inside, reader))
    }
    const passes = (await subjectsOfCard(tx, 'annual_pass', place)) as PassState[]
    return {
      card,
      bills: (await billsOfCard(tx, place, billsShown)).map(viewBill),
      libraries,
      passes: passes.flatMap(state => state.passes.map(({ from, until }) => ({ from, until }))),
      waitingPass: passes.find(({ waiting }) => waiting !== null)?.waiting?.beginsOn ?? null
    }
  })
}

function viewBill ({ settlementNo, zh, en, on, split: stored, takenBack }: BillRow): OwnBill {
  const split = splitFrom(stored)
  const { totalFen, fundsFen, paid } = splitView(split)
  const { account, family, purse, cash, hospital } = paid
  return {
    settlement: String(settlementNo), clinic: { zh, en }, on, state: takenBack ? 'taken_back' : 'live',
    totalFen, fundsFen, accountFen: account + family, purseFen: purse, cashFen: cash, hospitalFen: hospital,
    steps: explanationView(String(settlementNo), split).steps
  }
}

/** Nothing where the library has no rules yet: then nobody has borrowed anything. */
async function libraryOf (tx: Tx, ledger: Ledger, { library, token }: ReaderRow): Promise<OwnLibrary[]> {
  const party = (await ledger.registry()).parties.get(library)
  if (party === undefined || (await readRules(tx, party.partyId)).length === 0) return []
  const desk = await openLibrary(tx, ledger, library)
  const reader = await readerOf(desk, token)
  if (typeof reader === 'string') return []
  return [{
    library: { zh: party.nameZh, en: party.nameEn }, owedFen: reader.owedFen, depositFen: reader.depositFen,
    loans: reader.loans.map(loan => viewLoan(desk, loan))
  }]
}
