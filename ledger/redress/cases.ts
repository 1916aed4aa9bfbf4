// What residents ask for without a visit: a missing exit, a refund, a formal report lifted, a complaint. It
// is looked at when it is filed, as its proposal would be; staff start that proposal, or answer in words. It
// refuses to know how any of it is carried out.
import { formatIso, localDate } from '../../runtime/instants.ts'
import type { CaseAnswer, CaseOptions, CaseView, NewCase, OwnCase } from '../../schemas/case.ts'
import { cardMoveKind } from '../cards/card-life.ts'
import { ownLife, type Own } from '../cards/own.ts'
import { addWorkingDays } from '../core/calendar.ts'
import { caseState, isOver, signalOf } from '../core/cases.ts'
import { caseNames, caseRules } from '../core/case-words.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { propose, requireOwnBranch, type Member, type ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { exitDecisionKind } from '../services/transit/exits.ts'
import { readHolidays } from '../store/calendar.ts'
import {
  endCase, insertCase, listCases, lockCase, noteCaseProposal, openCases, readCase, type CaseRow
} from '../store/cases.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { refundKind } from './refund.ts'

/** What one person may have open at once: more is no application but a flood. */
export const openCasesMax = 20

type Filed = { readonly kind: NewCase['kind'], readonly body: unknown, readonly words: string }
type Wanted = { readonly name: string, readonly kind: ProposalKind, readonly body: unknown }

/** The proposal that grants it; null: words alone answer a complaint. */
function wantedBy ({ kind, body, words }: Filed, reference: string): Wanted | null {
  const said = body as Record<string, unknown>
  switch (kind) {
    case 'missing_exit': return { name: 'exit_decision', kind: exitDecisionKind, body: said }
    case 'refund': return { name: 'refund', kind: refundKind, body: { ...said, reason: words, reference } }
    case 'lift_loss': return { name: 'card_move', kind: cardMoveKind, body: { ...said, move: 'lift_loss' } }
    case 'complaint': return null
  }
}

/** Before anything is written: what can be asked for, what it takes, and how long it takes. */
export async function caseOptions ({ registry }: Pick<Ledger, 'registry'>): Promise<CaseOptions> {
  const { policies: { caseAnswerDays, complaintDays } } = await registry()
  return {
    kinds: Object.entries(caseNames).map(([name, words]) => {
      const kind = name as NewCase['kind']
      const workingDays = kind === 'complaint' ? complaintDays : caseAnswerDays
      return { kind, name: words, rules: caseRules[kind], workingDays }
    })
  }
}

/**
 * Throws Refusal not_found (also for a card of somebody else), conditions_not_met where the same is open or
 * too much is, and whatever the proposal would be refused for.
 */
export async function fileCase (ledger: Ledger, own: Own, filed: NewCase): Promise<bigint> {
  const { policies: { caseAnswerDays, complaintDays } } = await ledger.registry()
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    if (filed.kind !== 'complaint') await ownLife(tx, own, filed.body.card)
    const wanted = wantedBy(filed, 'case-new')
    await wanted?.kind.look(tx, ledger, wanted.body as never)
    const subject = wanted?.kind.subject(wanted.body as never, ledger) ?? `complaint/${filed.words}`
    const { count, same } = await openCases(tx, own.holderId, filed.kind, subject)
    if (same) throw new Refusal('conditions_not_met', 'the same is asked for already')
    if (count >= openCasesMax) throw new Refusal('conditions_not_met', `${count} cases of yours are open`)
    const days = filed.kind === 'complaint' ? complaintDays : caseAnswerDays
    const dueOn = addWorkingDays(localDate(atMs), days, await readHolidays(tx))
    const { kind, body, words } = filed
    const { holderId, holder } = own
    const no = await insertCase(tx, { holderId, kind, subject, body, words, filedAtMs: atMs, dueOn })
    await note(tx, atMs, { by: `holder/${holder}`, action: 'case.file', no, detail: { kind, dueOn } })
    return no
  })
}

/** The resident takes it back while nobody decides. Throws Refusal not_found, conditions_not_met. */
export async function withdrawCase (ledger: Ledger, { holderId, holder }: Own, no: bigint): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const row = await lockCase(tx, no)
    if (row === null || row.holderId !== holderId) throw new Refusal('not_found', 'you have no such case')
    requireFiled(row)
    const by = `holder/${holder}`
    await endCase(tx, no, { outcome: 'withdrawn', answer: null, by, atMs })
    await note(tx, atMs, { by, action: 'case.withdraw', no })
  })
}

/* ---- the staff ---- */

/**
 * One of the staff agrees, and starts the proposal that a second person decides. Throws Refusal not_found,
 * other_branch, conditions_not_met, and what the proposal is refused for.
 */
export async function takeUpCase (ledger: Ledger, by: Member, no: bigint): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    const row = await ofOwnBranch(tx, by, no)
    requireFiled(row)
    const wanted = wantedBy(row, `case-${no}`)
    if (wanted === null) throw new Refusal('conditions_not_met', 'a complaint is answered in words')
    const { name, kind, body } = wanted
    const reason = `case ${no}: ${row.words}`.slice(0, 500)
    await noteCaseProposal(tx, no, await propose(tx, ledger, kind, by, { kind: name, body, reason }))
  })
}

/** Answered in words; a refusal says why. Throws Refusal not_found, other_branch, conditions_not_met. */
export async function answerCase (
  ledger: Ledger, by: Member, no: bigint, { outcome, words }: CaseAnswer
): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const row = await ofOwnBranch(tx, by, no)
    requireFiled(row)
    if (outcome === 'answered' && row.kind !== 'complaint') {
      throw new Refusal('conditions_not_met', 'what is asked for is granted by a proposal, or refused')
    }
    await endCase(tx, no, { outcome, answer: words, by: by.name, atMs })
    await note(tx, atMs, { by: by.name, action: 'case.answer', no, detail: { outcome } })
  })
}

async function ofOwnBranch (tx: Tx, by: Member, no: bigint): Promise<CaseRow> {
  const row = await lockCase(tx, no)
  if (row === null) throw new Refusal('not_found', `there is no case ${no}`)
  requireOwnBranch(by, [row.branch])
  return row
}

function requireFiled (row: CaseRow): void {
  const state = caseState(row)
  if (state !== 'filed') throw new Refusal('conditions_not_met', `the case is ${state}`)
}

const note = async (tx: Tx, atMs: number, { by, action, no, detail }: {
  readonly by: string, readonly action: string, readonly no: bigint, readonly detail?: object
}): Promise<void> => await audit(tx, atMs, { by, action, subject: `case/${no}`, detail })

/* ---- looking ---- */

/** Throws Refusal not_found. */
export async function viewOwnCase (ledger: Ledger, { holderId }: Own, no: bigint): Promise<OwnCase> {
  const row = await readCase(ledger.db, no)
  if (row === null || row.holderId !== holderId) throw new Refusal('not_found', 'you have no such case')
  return ownCaseView(row)
}

export const ownCaseView = (row: CaseRow): OwnCase => ({
  case: Number(row.caseNo), kind: row.kind, body: row.body, words: row.words, state: caseState(row),
  filedAt: formatIso(row.filedAtMs), dueOn: row.dueOn, endedAt: endOf(row), answer: row.answer
})

function endOf (row: CaseRow): string | null {
  const atMs = row.endedAtMs ?? row.proposalEndedAtMs
  return atMs === null || !isOver(caseState(row)) ? null : formatIso(atMs)
}

/** Throws Refusal not_found. */
export async function viewCase (ledger: Ledger, no: bigint): Promise<CaseView> {
  const row = await readCase(ledger.db, no)
  if (row === null) throw new Refusal('not_found', `there is no case ${no}`)
  return (await caseViews(ledger))(row)
}

type Shown = Omit<Parameters<typeof listCases>[1], 'isOpen' | 'dueBy'>

/** Those in a state; urgent ones are open and have a signal. */
export async function casesShown (
  { db, clock }: Pick<Ledger, 'db' | 'clock'>, state: 'open' | 'over' | 'any' | 'urgent', asked: Shown
): Promise<CaseRow[]> {
  const dueBy = state === 'urgent'
    ? addWorkingDays(localDate(clock.now()), 1, await readHolidays(db))
    : null
  const isOpen = state === 'any' ? null : state !== 'over'
  return await listCases(db, { ...asked, isOpen, dueBy })
}

/** Views of one moment. */
export async function caseViews (ledger: Ledger): Promise<(row: CaseRow) => CaseView> {
  const { policies: { caseRedDays } } = await ledger.registry()
  const holidays = await readHolidays(ledger.db)
  const today = localDate(ledger.clock.now())
  return row => {
    const own = ownCaseView(row)
    return {
      ...own, holder: row.holder, proposal: row.proposalId === null ? null : Number(row.proposalId),
      endedBy: row.endedBy, signal: signalOf({ ...own, today }, caseRedDays, holidays)
    }
  }
}
