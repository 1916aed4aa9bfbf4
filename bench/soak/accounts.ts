// Online accounts as the stand-in of a ledger keeps them, for a soak: each request once, what was taken back
// before it came never. What stands here in the end must be what the tills believe. It refuses to know cards.
import type { NewRequest, RequestReply } from '../../schemas/request.ts'

export type Accounts = {
  decide (request: NewRequest): RequestReply
  /** What all purchases have moved that nobody has taken back. */
  standingFen (): number
}

type Verdict = Pick<RequestReply, 'outcome' | 'reason' | 'amountFen'>

export function openAccounts (): Accounts {
  const replies = new Map<string, RequestReply>()
  /** What remains of each purchase. */
  const standing = new Map<string, number>()
  const takenBack = new Map<string, { readonly of: string, readonly amountFen: number }>()
  /** Taken back before they came. */
  const dead = new Set<string>()

  function verdict (request: NewRequest): Verdict {
    if (dead.has(request.key)) return declined('taken_back')
    switch (request.kind) {
      case 'purchase':
        standing.set(request.key, request.amountFen)
        return approved(request.amountFen)
      case 'reversal': return takeBack(request.key, request.of.key, request.amountFen)
      case 'reinstatement': return putBack(request.of.key)
      default: return approved(0)
    }
  }

  function takeBack (key: string, of: string, wanted: number | undefined): Verdict {
    const leftFen = standing.get(of)
    if (leftFen === undefined) return missing(of)
    const amountFen = wanted ?? leftFen
    if (amountFen > leftFen) return declined('amount_over_remaining')
    standing.set(of, leftFen - amountFen)
    takenBack.set(key, { of, amountFen })
    return approved(amountFen)
  }

  function putBack (reversal: string): Verdict {
    const found = takenBack.get(reversal)
    if (found === undefined) return missing(reversal)
    standing.set(found.of, (standing.get(found.of) ?? 0) + found.amountFen)
    takenBack.delete(reversal)
    return approved(found.amountFen)
  }

  function missing (key: string): Verdict {
    if (replies.has(key)) return declined('original_declined')
    dead.add(key)
    return declined('original_unknown')
  }

  return {
    decide: request => {
      const first = replies.get(request.key)
      if (first !== undefined) return { ...first, replayed: true }
      const reply: RequestReply = {
        key: request.key, kind: request.kind, replayed: false, balanceFen: 10_000, journal: '1',
        clearingDate: '2026-03-02', ...verdict(request)
      }
      if (request.kind !== 'balance') replies.set(request.key, reply)
      return reply
    },
    standingFen: () => [...standing.values()].reduce((sum, one) => sum + one, 0)
  }
}

const approved = (amountFen: number): Verdict => ({ outcome: 'approved', reason: 'ok', amountFen })
const declined = (reason: RequestReply['reason']): Verdict =>
  ({ outcome: 'declined', reason, amountFen: 0 })
