// After clearing: two people approve the positions they see, then instructions go out. It refuses to know
// banks and screens.
import { killPoint } from '../runtime/kill-point.ts'
import { booked, lockedDay, requireState } from './close-day.ts'
import { approversNeeded, positionsDigest } from './core/day.ts'
import { instructionsOf, instructionTransfer } from './core/settlement.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { issueStatements } from './statements.ts'
import { inTransaction, type Tx } from './store/db.ts'
import { insertApproval, moveDay, readApprovals, readSteps } from './store/days.ts'
import { openDate } from './store/lock.ts'
import { postBatch } from './store/post.ts'
import { insertInstructions, readOpenNets, readPositions } from './store/settlement.ts'

export type Approver = { readonly staffId: number, readonly name: string }

/**
 * Records one approval of exactly the positions with this digest; the second, by another person, moves the
 * day to APPROVED. Throws Refusal approval_stale, self_approval, day_state.
 */
export async function approveDay (
  ledger: Ledger, date: string, by: Approver, digest: Buffer
): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const { state } = await lockedDay(tx, date)
    if (state !== 'APPROVED') requireState(date, state, 'CLEARED')
    if (!digest.equals(await digestNow(tx, date))) {
      throw new Refusal('approval_stale', `the positions of ${date} are not those with this digest`,
        '/digest')
    }
    await refuseCloser(tx, date, by)
    if (!await insertApproval(tx, date, by.staffId, digest, atMs)) {
      throw new Refusal('self_approval', `${by.name} has approved ${date} already; another person must`)
    }
    if (state === 'APPROVED') return
    const approvals = await readApprovals(tx, date, digest)
    if (approvals.length < approversNeeded) return
    const names = approvals.map(approval => approval.staff).join(' + ')
    await moveDay(tx, date, { from: 'CLEARED', to: 'APPROVED', by: names, atMs })
    killPoint('before-day-approved')
  })
  killPoint('after-day-approved')
}

/** Of the rows as they are, not as they were when somebody stored a digest. */
const digestNow = async (tx: Tx, date: string): Promise<Buffer> =>
  positionsDigest(date, await readPositions(tx, date))

async function refuseCloser (tx: Tx, date: string, by: Approver): Promise<void> {
  const closed = (await readSteps(tx, date)).some(step => step.state !== 'APPROVED' && step.by === by.name)
  if (closed) throw new Refusal('self_approval', `${by.name} closed ${date}; others approve it`)
}

/**
 * Books and writes down what is to be paid and collected for an approved day; nets below a party's threshold
 * carry over. Throws Refusal day_state, or approval_stale when the positions are not the approved ones.
 */
export async function instructDay (ledger: Ledger, date: string, by: string): Promise<void> {
  await issueStatements(ledger, date)
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  await inTransaction(ledger.db, async tx => {
    const open = await openDate(tx)
    const { state } = await lockedDay(tx, date)
    if (state === 'INSTRUCTED' || state === 'CONFIRMED') return
    requireState(date, state, 'APPROVED')
    if ((await readApprovals(tx, date, await digestNow(tx, date))).length < approversNeeded) {
      throw new Refusal('approval_stale', `the positions of ${date} are not those that were approved`)
    }
    await tx.query('select pg_advisory_xact_lock($1)', [instructionLock])
    const atMs = ledger.clock.now()
    const instructions = instructionsOf(date, await readOpenNets(tx, date))
    await insertInstructions(tx, date, instructions)
    await postBatch(tx, {
      kind: 'settlement', clearingDate: open ?? date, createdAtMs: atMs, salt, items: instructions.length,
      transfers: booked(snapshot, instructions.map(instructionTransfer), atMs)
    })
    await moveDay(tx, date, { from: 'APPROVED', to: 'INSTRUCTED', by, atMs })
    killPoint('before-day-instructed')
  })
  killPoint('after-day-instructed')
}

/** Two days instructed at once would both take along what is carried over. */
const instructionLock = 7_005
