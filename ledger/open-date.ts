// The clearing date that a transaction books into. It refuses to know what is booked.
import { Refusal } from './refusal.ts'
import type { Tx } from './store/db.ts'
import { openDate } from './store/lock.ts'

/**
 * The date stays open until the transaction ends: batches share a lock that its cut excludes. Throws Refusal
 * unavailable before the first date is set.
 */
export async function openDateOf (tx: Tx): Promise<string> {
  const date = await openDate(tx)
  if (date === null) throw new Refusal('unavailable', 'no clearing date is set yet')
  return date
}
