// Who stood at which lane just now, for the counter that asks: in memory alone, until the time is over, the
// next card comes to that lane or the counter says that it has it. It refuses to know cards and HTTP.
import type { Clock } from '../runtime/clock.ts'
import { formatIso } from '../runtime/instants.ts'
import type { IdentityView } from '../schemas/gateway.ts'
import type { Identity } from '../schemas/ssse/identity.ts'
import { keepForAWhile } from './for-a-while.ts'

export type Identities = {
  /** Answers the id under which it is known; whoever stood there before is forgotten. */
  keep (lane: string, identity: Identity, forMs: number): string
  find (id: string): IdentityView | undefined
  /** Whether it was known. */
  forget (id: string): boolean
  forgetLane (lane: string): void
  close (): void
}

export function identityBook ({ clock, newId }: { clock: Clock, newId: () => string }): Identities {
  const kept = keepForAWhile<IdentityView>()
  const find = (id: string) => kept.all().find(({ identity }) => identity === id)
  return {
    keep: (lane, holder, forMs) => {
      const identity = newId()
      const atMs = clock.now()
      const view = { identity, lane, at: formatIso(atMs), forgottenAt: formatIso(atMs + forMs), ...holder }
      kept.put(lane, view, forMs)
      return identity
    },
    find,
    forget: id => {
      const found = find(id)
      if (found !== undefined) kept.forget(found.lane)
      return found !== undefined
    },
    forgetLane: kept.forget,
    close: kept.close
  }
}
