// One order to a chip: its challenge, the finished command from whoever holds the key, the answer. It refuses
// to know what is ordered, and keys.
import { getChallenge } from '../../schemas/epurse/apdu.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { Answer, Channel } from './exchange.ts'

export type Given =
  | { readonly kind: 'obeyed' }
  /** The chip said so: nothing has changed but what it counts. */
  | { readonly kind: 'refused', readonly sw: number }
  /** Nobody signed, or the chip gave no challenge: the command never left. */
  | { readonly kind: 'unsent', readonly why: string }
  /** No answer. `sent`: the chip may have obeyed. */
  | { readonly kind: 'lost', readonly sent: boolean }

/** The finished command, or why there is none. */
export type Signed = { readonly command: Uint8Array } | { readonly why: string }

export type Giving = {
  /** Whether the MAC covers a challenge of the chip. */
  readonly challenge: boolean
  readonly sign: (challenge: Uint8Array) => Promise<Signed>
  /** Resolves when it is on disk: the command may leave. */
  readonly beforeSending?: () => Promise<void>
  readonly afterSending?: () => void
}

export async function giveOrder (card: Channel, giving: Giving): Promise<Given> {
  const challenge = giving.challenge ? challengeIn(await card.transmit(getChallenge(4))) : none
  if (!(challenge instanceof Uint8Array)) return challenge
  const signed = await giving.sign(challenge)
  if ('why' in signed) return { kind: 'unsent', why: signed.why }
  await giving.beforeSending?.()
  const answer = await card.transmit(signed.command)
  giving.afterSending?.()
  if (answer.kind === 'unknown') return { kind: 'lost', sent: true }
  return isOk(answer.sw) ? { kind: 'obeyed' } : { kind: 'refused', sw: answer.sw }
}

const none = new Uint8Array(0)

function challengeIn (answer: Answer): Uint8Array | Given {
  if (answer.kind === 'unknown') return { kind: 'lost', sent: false }
  if (isOk(answer.sw) && answer.data.length === 4) return answer.data
  return { kind: 'unsent', why: 'the chip gives no challenge' }
}
