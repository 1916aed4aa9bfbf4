// After clearing: two people approve the positions, then instructions go out. It refuses to know banks and
// screens.
import { killPoint } from '../runtime/kill-point.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { inTransaction } from './store/db.ts'
import {
  approve, insertInstructions, lockDay, openNets, readApprovals, readOpenDay, readSteps, stepTo
} from './store/days.ts'
import { postBatch, type NewTransfer } from './store/post.ts'
import { accountId } from './store/registry.ts'

export type Approver = { readonly staffId: number, readonly name: string }
const approversNeeded = 2

/**
 * Records one approval of exactly these positions; the second, by another person, moves the day to APPROVED.
 */
export async function approveDay (ledger: Ledger, date: string, by: Approver, digest: Buffer): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    const day = await lockDay(tx, date)
    if (day === null || (day.state !== 'CLEARED' && day.state !== 'APPROVED')) {
      throw new Refusal('day_state', `${date} is ${day?.state ?? 'unknown'}: only a cleared day can be approved`)
    }
    if (day.digest === null || !day.digest.equals(digest)) {
      throw new Refusal('approval_stale', `the positions of ${date} have another digest now`)
    }
    const before = await readApprovals(tx, date, digest)
    if (before.some(one => one.staffId === by.staffId)) throw new Refusal('self_approval', `${by.name} has approved ${date} already`)
    const closers = (await readSteps(tx, date)).map(step => step.by)
    if (closers.includes(by.name)) throw new Refusal('self_approval', `${by.name} closed ${date}: others approve it`)
    if (day.state === 'APPROVED') return
    const nowMs = ledger.clock.now()
    await approve(tx, date, by.staffId, digest, nowMs)
    if (before.length + 1 < approversNeeded) return
    await stepTo(tx, date, 'APPROVED', [...before.map(one => one.staff), by.name].join(' + '), nowMs)
  })
  killPoint('day-approved')
}

/** One instruction per party and book whose open net reaches its threshold; smaller nets carry over. */
export async function instructDay (ledger: Ledger, date: string, by: string): Promise<void> {
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  await inTransaction(ledger.db, async tx => {
    const day = await lockDay(tx, date)
    if (day?.state === 'INSTRUCTED' || day?.state === 'CONFIRMED') return
    if (day?.state !== 'APPROVED') throw new Refusal('day_state', `${date} is ${day?.state ?? 'unknown'}: two people approve it first`)
    const nowMs = ledger.clock.now()
    const nets = (await openNets(tx, date)).filter(({ fen, fromFen }) => {
      const size = fen < 0n ? -fen : fen
      return size > 0n && size >= fromFen
    })
    const instructions = nets.map(({ party, book, fen }) => ({
      id: `${date}-${book}-${party}`, party, book, direction: fen > 0n ? 'pay' as const : 'collect' as const,
      fen: fen < 0n ? -fen : fen
    }))
    const transfers = instructions.map((instruction, place): NewTransfer => {
      const settlement = accountId(snapshot, instruction.book, 'merchant-settlement', instruction.party)
      const clearing = accountId(snapshot, instruction.book, 'settlement-clearing')
      const sides = instruction.direction === 'pay'
        ? { code: 'instruct_pay' as const, debit: settlement, credit: clearing }
        : { code: 'instruct_collect' as const, debit: clearing, credit: settlement }
      return {
        ...sides, bucket: 0, journal: place, book: instruction.book, amountFen: instruction.fen,
        eventAtMs: nowMs
      }
    })
    await insertInstructions(tx, date, instructions)
    await postBatch(tx, {
      kind: 'settlement', clearingDate: await readOpenDay(tx) ?? date, createdAtMs: nowMs, salt,
      items: instructions.length, transfers
    })
    await stepTo(tx, date, 'INSTRUCTED', by, nowMs)
  })
  killPoint('day-instructed')
}
