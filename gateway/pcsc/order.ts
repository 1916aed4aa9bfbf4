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

/** `S`: what whoever signs tells of a command that may leave. */
export type Giving<S extends Signed> = {
  /** Whether the MAC covers a challenge of the chip. */
  readonly challenge: boolean
  readonly sign: (challenge: Uint8Array) => Promise<S>
  /** Resolves when it is on disk: the command may leave. */
  readonly beforeSending?: (signed: Finished<S>) => Promise<void>
  readonly afterSending?: () => void
}
type Finished<S extends Signed> = Extract<S, { readonly command: Uint8Array }>

/** `signed`: what whoever signs answered; null where the chip gave no challenge. */
export type Order<S extends Signed> = { readonly given: Given, readonly signed: S | null }

export async function giveOrder<S extends Signed> (card: Channel, giving: Giving<S>): Promise<Order<S>> {
  const challenge = giving.challenge ? challengeIn(await card.transmit(getChallenge(4))) : none
  if (!(challenge instanceof Uint8Array)) return { given: challenge, signed: null }
  const signed = await giving.sign(challenge)
  if ('why' in signed) return { given: { kind: 'unsent', why: signed.why }, signed }
  const finished = signed as Finished<S>
  await giving.beforeSending?.(finished)
  const answer = await card.transmit(finished.command)
  giving.afterSending?.()
  if (answer.kind === 'unknown') return { given: { kind: 'lost', sent: true }, signed }
  return { given: isOk(answer.sw) ? { kind: 'obeyed' } : { kind: 'refused', sw: answer.sw }, signed }
}

const none = new Uint8Array(0)

function challengeIn (answer: Answer): Uint8Array | Given {
  if (answer.kind === 'unknown') return { kind: 'lost', sent: false }
  if (isOk(answer.sw) && answer.data.length === 4) return answer.data
  return { kind: 'unsent', why: 'the chip gives no challenge' }
}
