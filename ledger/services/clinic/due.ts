// Debits of chips that no bill takes any more go back as soon as their records are here, whoever asks or does
// not: a timer goes over what is due. It refuses to know why it is.
import type { Ledger } from '../../ledger.ts'
import { dueMessages, findMessage, lockPerson } from '../../store/clinic.ts'
import { atClinic, payDue } from './desk.ts'

const atOnceMax = 100

/** Gives back what can be, each in a transaction of its own; how many went back. */
export async function returnDue (ledger: Ledger): Promise<number> {
  let done = 0
  for (const { party, message, person } of await dueMessages(ledger.db, atOnceMax)) {
    done += await atClinic(ledger, { party, client: 'clinic' }, async desk => {
      await lockPerson(desk.tx, person)
      const row = await findMessage(desk.tx, desk.partyId, message)
      return row !== null && await payDue(desk, row) === 'returned' ? 1 : 0
    })
  }
  return done
}

export type Returning = { readonly stop: () => Promise<void> }

/** `stop` waits for what is under way. */
export function startReturning (ledger: Ledger, everyMs: number): Returning {
  let returning: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    returning = returning.then(() => returnDue(ledger)).catch((error: unknown) => {
      ledger.log.error({ err: error }, 'clinic: debits that go back')
    })
  }, everyMs)
  timer.unref()
  return {
    stop: async () => {
      clearInterval(timer)
      await returning
    }
  }
}
