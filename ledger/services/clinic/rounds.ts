// What clinics have left open is gone over by a timer: debits that go back, outcomes that nobody knows. It
// refuses to know either.
import type { Ledger } from '../../ledger.ts'
import { resolveOpen } from './centre/resolve.ts'
import { returnDue } from './due.ts'

export type Rounds = { readonly stop: () => Promise<void> }

/** `stop` waits for what is under way. */
export function startRounds (ledger: Ledger, everyMs: number): Rounds {
  let going: Promise<unknown> = Promise.resolve()
  let after = 0n
  const round = async (): Promise<void> => {
    after = (await returnDue(ledger, after)).after ?? 0n
    await resolveOpen(ledger)
  }
  const timer = setInterval(() => {
    going = going.then(round).catch((error: unknown) => {
      ledger.log.error({ err: error }, 'clinic: what is open')
    })
  }, everyMs)
  timer.unref()
  return {
    stop: async () => {
      clearInterval(timer)
      await going
    }
  }
}
