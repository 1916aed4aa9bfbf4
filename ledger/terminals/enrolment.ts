// Who may serve: terminals are enrolled, changed, suspended and retired. What lets a terminal earn money
// takes a second person once the ledger works; what stops it does not. It refuses to know how they are doing.
import { Type } from 'typebox'
import {
  TerminalEnrolment, type EnrolmentReply, type TerminalEnrolments, type TerminalWithdrawal
} from '../../schemas/estate.ts'
import { limits } from '../../schemas/limits.ts'
import { estateDigest, estateLine, terminalKey, type TerminalRef } from '../../schemas/terminals.ts'
import { sha256 } from '../../schemas/sha256.ts'
import { canonical } from '../core/canonical.ts'
import type { NotedRow } from '../core/notes.ts'
import type { Ledger } from '../ledger.ts'
import { needsSecondPerson } from '../parameters/set-up.ts'
import { audit } from '../people/audit.ts'
import { propose, requireOwnBranch, type Member, type ProposalKind } from '../people/proposals.ts'
import { note } from '../posting/note.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfParties } from '../store/branches.ts'
import { insertComponentNews } from '../store/components.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { openDate } from '../store/lock.ts'
import {
  enrolRegistered, estateVersion, lockEnrolments, lockEstate, updateEnrolments, type EnrolmentRow
} from '../store/enrolments.ts'

const defaultHeartbeatSeconds = 300

/**
 * Enrols and changes. Throws Refusal registry_invalid, other_branch, conditions_not_met (it was retired),
 * proposal_pending.
 */
export async function enrol (
  ledger: Ledger, { terminals, reason }: TerminalEnrolments, by: Member
): Promise<EnrolmentReply> {
  return await inTransaction(ledger.db, async tx => {
    requireOwnBranch(by, await branchesOfParties(tx, terminals.map(one => one.operator)))
    const { changes, clearingDate } = await changesOf(tx, terminals)
    const atOnce = await needsSecondPerson(tx, ledger) ? changes.filter(one => !opensDoors(one)) : changes
    const waiting = changes.filter(one => !atOnce.includes(one)).map(({ wanted }) => wanted)
    const atMs = ledger.clock.now()
    const { version, done } = await carryOut(tx, ledger, atOnce, { by: by.name, reason, atMs, clearingDate })
    if (waiting.length === 0) return { version, done, waiting: 0 }
    const asked = { kind: 'terminal_enrolment', body: { terminals: waiting }, reason }
    const proposal = Number(await propose(tx, ledger, terminalEnrolmentKind, by, asked))
    return { version, done, waiting: waiting.length, proposal }
  })
}

type Wanted = { readonly terminals: readonly TerminalEnrolment[] }

/** Records of a terminal that is enrolled are money for its operator: somebody else looks, too. */
export const terminalEnrolmentKind: ProposalKind = {
  body: Type.Object({
    terminals: Type.Array(TerminalEnrolment, { minItems: 1, maxItems: limits.registryItemsMax })
  }, { additionalProperties: false }),
  start: ['registrar'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { terminals }: Wanted) =>
    await branchesOfParties(tx, terminals.map(one => one.operator)),
  subject: ({ terminals }: Wanted) => {
    const [first] = terminals
    if (first !== undefined && terminals.length === 1) return `terminal/${terminalKey(first)}`
    const digest = sha256(Buffer.from(canonical(terminals.map(terminalKey)))).toString('hex')
    return `terminals/${terminals.length}#${digest.slice(0, 8)}`
  },
  look: async (tx, _ledger, { terminals }: Wanted) => {
    const { changes } = await changesOf(tx, terminals)
    return {
      terminals: changes.slice(0, shownMax).map(({ before }) => ({
        terminal: terminalKey(before), state: before.state, keys: before.keys?.check ?? null,
        certificates: before.certificates ?? []
      })),
      more: Math.max(0, changes.length - shownMax)
    }
  },
  carryOut: async (tx, ledger, { terminals }: Wanted, { approvedBy, reason, atMs }) => {
    const { changes, clearingDate } = await changesOf(tx, terminals)
    const how = { by: approvedBy.join(' + '), reason, atMs, clearingDate }
    return await carryOut(tx, ledger, changes, how)
  }
}
const shownMax = 100

type Change = {
  readonly before: EnrolmentRow, readonly after: EnrolmentRow, readonly wanted: TerminalEnrolment
}

/** The open date, then the list: whoever changes it takes both locks in this order. */
async function lockForChange (tx: Tx): Promise<string | null> {
  const clearingDate = await openDate(tx)
  await lockEstate(tx)
  return clearingDate
}

/** What is not as it is wanted. Locked until the transaction ends. */
async function changesOf (
  tx: Tx, terminals: readonly TerminalEnrolment[]
): Promise<{ readonly changes: Change[], readonly clearingDate: string | null }> {
  const clearingDate = await lockForChange(tx)
  refuseTwice(terminals)
  const found = await lockEnrolments(tx, terminals)
  const changes = terminals.flatMap((wanted, index) => {
    const before = rowAt(found, wanted, index)
    if (before.state === 'retired') {
      throw new Refusal('conditions_not_met', `${terminalKey(wanted)} was retired, which is for good`,
        `/terminals/${index}`)
    }
    const after = enrolledAs(before, wanted)
    return canonical(before) === canonical(after) ? [] : [{ before, after, wanted }]
  })
  return { changes, clearingDate }
}

/** What is not said stays as it is. */
function enrolledAs (before: EnrolmentRow, wanted: TerminalEnrolment): EnrolmentRow {
  const { certificates: bound, ...standing } = before
  const { certificates: said, ...rest } = wanted
  const heartbeatSeconds = wanted.heartbeatSeconds ?? before.heartbeatSeconds ?? defaultHeartbeatSeconds
  const certificates = [...said ?? bound ?? []].sort()
  return {
    ...standing, ...rest, state: 'enrolled', heartbeatSeconds,
    ...certificates.length === 0 ? {} : { certificates }
  }
}

/** It begins to serve, or it serves with other keys, or over other connections. */
const opensDoors = ({ before, after }: Change): boolean =>
  before.state !== 'enrolled' || canonical(before.keys) !== canonical(after.keys) ||
  opensConnections(before.certificates ?? [], after.certificates ?? [])

/** One of several is taken away at once, as what was stolen must be. Without the last one any would do. */
const opensConnections = (before: readonly string[], after: readonly string[]): boolean =>
  after.some(one => !before.includes(one)) || (after.length === 0 && before.length > 0)

const carryOut = async (
  tx: Tx, ledger: Noting, changes: readonly Change[], how: How
): Promise<{ version: number, done: number }> =>
  await writeVersion(tx, ledger, changes.map(({ after }) => after), 'terminal.enrol', how)

/** Stops terminals, at once and by one person. Throws Refusal registry_invalid, other_branch. */
export async function withdraw (
  ledger: Ledger, { terminals, to, reason }: TerminalWithdrawal, by: Member
): Promise<EnrolmentReply> {
  return await inTransaction(ledger.db, async tx => {
    requireOwnBranch(by, await branchesOfParties(tx, terminals.map(one => one.operator)))
    const clearingDate = await lockForChange(tx)
    refuseTwice(terminals)
    const found = await lockEnrolments(tx, terminals)
    const standing = terminals.map((ref, index) => rowAt(found, ref, index))
      .filter(({ state }) => state !== 'retired' && state !== to)
    const how = { by: by.name, reason, atMs: ledger.clock.now(), clearingDate }
    const rows = standing.map(row => withdrawn(row, to))
    return { ...await writeVersion(tx, ledger, rows, 'terminal.withdraw', how, { to }), waiting: 0 }
  })
}

/** What is retired for good needs its key no more. */
function withdrawn (row: EnrolmentRow, to: TerminalWithdrawal['to']): EnrolmentRow {
  if (to === 'suspended' || row.keys === null) return { ...row, state: to }
  const { name, check } = row.keys
  return { ...row, state: to, keys: { name, check } }
}

function rowAt (found: readonly (EnrolmentRow | null)[], ref: TerminalRef, index: number): EnrolmentRow {
  const row = found[index]
  if (row !== null && row !== undefined) return row
  throw new Refusal('registry_invalid', `no terminal ${terminalKey(ref)} is registered`,
    `/terminals/${index}`)
}

function refuseTwice (terminals: readonly TerminalRef[]): void {
  const seen = new Set<string>()
  for (const [index, key] of terminals.map(terminalKey).entries()) {
    if (seen.has(key)) throw new Refusal('registry_invalid', `${key} is told twice`, `/terminals/${index}`)
    seen.add(key)
  }
}

/* ---- versions of the list ---- */

type How = {
  readonly by: string, readonly reason: string, readonly atMs: number, readonly clearingDate: string | null
}

/** All rows in one new version, under the tree and in the audit log; none where nothing changes. */
async function writeVersion (
  tx: Tx, ledger: Noting, rows: readonly EnrolmentRow[], action: 'terminal.enrol' | 'terminal.withdraw',
  { by, reason, atMs, clearingDate }: How, more: object = {}
): Promise<{ version: number, done: number }> {
  const last = await estateVersion(tx)
  if (rows.length === 0) return { version: last, done: 0 }
  const version = last + 1
  await noteEnrolments(tx, ledger, { clearingDate, atMs }, notedIn =>
    updateEnrolments(tx, rows, { version, atMs }, notedIn))
  await insertComponentNews(tx, rows.flatMap(({ terminalId, state }) =>
    state === 'registered' ? [] : [{ terminalId, what: state, atMs, event: null }]), atMs)
  const detail = { ...summaryOf(rows), ...more, version, reason }
  await audit(tx, atMs, { by, action, subject: `terminals/${version}`, detail })
  return { version, done: rows.length }
}

/** The audit log names a few and tells the rest apart by their digest. */
const summaryOf = (rows: readonly EnrolmentRow[]) => ({
  count: rows.length, terminals: rows.slice(0, 10).map(terminalKey),
  digest: estateDigest(rows.map(estateLine))
})

/** Terminals that the registry has just got: at work while the ledger is set up, afterwards they wait. */
export async function takeIn (tx: Tx, ledger: Ledger, clearingDate: string | null): Promise<void> {
  await lockEstate(tx)
  const state = await needsSecondPerson(tx, ledger) ? 'registered' : 'enrolled'
  const atMs = ledger.clock.now()
  const as = { state, version: await estateVersion(tx) + 1, atMs } as const
  await noteEnrolments(tx, ledger, { clearingDate, atMs }, notedIn => enrolRegistered(tx, as, notedIn))
}

type Noting = Pick<Ledger, 'random'>

/** Who may serve is under the tree, as soon as there is a date for it. */
async function noteEnrolments (
  tx: Tx, ledger: Noting, { clearingDate, atMs }: Pick<How, 'clearingDate' | 'atMs'>,
  write: (notedIn: bigint | null) => Promise<readonly NotedRow[]>
): Promise<void> {
  if (clearingDate === null) await write(null)
  else await note(tx, ledger, { table: 'terminal_enrolment', clearingDate, atMs }, write)
}
