// What comes of a word of the registry of social-security cards. The house and the registry both say whether
// a card is lost: the later instant counts, and of one instant the loss, whichever word came first. What ends
// a card counts whenever it comes. Pure.
import type { ApplicationState } from '../../schemas/card-application.ts'
import type { CardMove, CardState } from '../../schemas/card-life.ts'
import {
  isBefore, questionOf, type SocialAnswer, type SocialOutcome, socialQuestions, type SocialWord
} from '../../schemas/social-security.ts'

/** A deed of either side that says whether the card is lost. */
export type SaidOfLoss = { readonly lost: boolean, readonly atMs: number }

const ownWords: Partial<Record<CardMove, boolean>> = {
  report_orally: true, report_loss: true, lift_oral: false, lift_loss: false
}
/** What moves of the house itself say. A report that lapses is no word: nobody said anything. */
export const saidBy = (moves: readonly { readonly move: CardMove, readonly atMs: number }[]): SaidOfLoss[] =>
  moves.flatMap(({ move, atMs }) => {
    const lost = ownWords[move]
    return lost === undefined ? [] : [{ lost, atMs }]
  })

/** The registry's words of loss that came before. */
export const toldOf = (
  words: readonly { readonly says: string, readonly atMs: number }[]
): SaidOfLoss[] => words.filter(({ says }) => says === 'lost' || says === 'lifted')
  .map(({ says, atMs }) => ({ lost: says === 'lost', atMs }))

export const countsAsLost = (said: readonly SaidOfLoss[]): boolean =>
  said.some(({ lost, atMs }) => lost && !isLiftedAfter(said, atMs))

const isLiftedAfter = (said: readonly SaidOfLoss[], atMs: number): boolean =>
  said.some(one => !one.lost && one.atMs > atMs)

export type WordDecision = { readonly outcome: SocialOutcome, readonly move: CardMove | null }
const moved = (move: CardMove): WordDecision => ({ outcome: 'moved', move })
const noted: WordDecision = { outcome: 'noted', move: null }
const superseded: WordDecision = { outcome: 'superseded', move: null }

/** `said`: all that both sides said before. The card has not ended. */
export function decideWord (
  { says, atMs }: { readonly says: SocialWord, readonly atMs: number },
  { state, said }: { readonly state: CardState, readonly said: readonly SaidOfLoss[] }
): WordDecision {
  if (says === 'cancelled') return moved('registry_cancelled')
  if (says === 'replaced') return moved('replace')
  if (says === 'lost') {
    if (isLiftedAfter(said, atMs)) return superseded
    return state === 'normal' || state === 'oral_loss' ? moved('registry_lost') : noted
  }
  if (said.some(one => one.lost && one.atMs >= atMs)) return superseded
  return state === 'loss' || state === 'oral_loss' ? moved('registry_lifted') : noted
}

export type AnswerDecision =
  | { readonly outcome: SocialOutcome }
  | { readonly outcome: 'refused', readonly why: string }

/**
 * What comes of an answer about an application. `given`: which answer to this question stands and of when;
 * null: none yet.
 */
export function decideAnswer (
  { to, atMs }: { readonly to: SocialAnswer, readonly atMs: number },
  { state, given }: {
    readonly state: ApplicationState
    readonly given: { readonly to: ApplicationState, readonly atMs: number } | null
  }
): AnswerDecision {
  const question = questionOf(to)
  if (state === question) return { outcome: 'moved' }
  if (isBefore(state, question)) return { outcome: 'refused', why: `it is ${state}: nobody has asked yet` }
  if (given?.to === to) return { outcome: 'noted' }
  if (given !== null && atMs <= given.atMs) return { outcome: 'superseded' }
  if ((socialQuestions[question] as readonly string[]).includes(state)) return { outcome: 'moved' }
  return { outcome: 'refused', why: `it is ${state}, and has gone on` }
}
