// What whoever answers the telephone sees of a card: its state, its money and its last uses in plain words.
// It refuses to know who calls.
import { Type, type Static } from 'typebox'
import { Fen, Instant } from './api.ts'
import { CardStateName, movesAlone } from './card-life.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const Words = Type.Object({ zh: Type.String(), en: Type.String() }, closed)
export type Words = Static<typeof Words>

export const CardLook = Type.Object({
  reason: Type.String({ minLength: 1, maxLength: 200, description: 'for the audit log; no personal data' })
}, { ...closed, $id: 'CardLook' })

export const CardLookView = Type.Object({
  card: CardRef,
  type: Type.String(),
  state: CardStateName,
  stateWords: Words,
  listed: Type.Union([Type.String(), Type.Null()]),
  holder: Type.Union([
    Type.Object({
      holder: Type.String(), name: Type.String(), phone: Type.Union([Type.String(), Type.Null()])
    }, { ...closed, description: 'masked' }),
    Type.Null()]),
  money: Type.Object({
    chipFen: { ...Fen, description: 'as the chip said last' } as typeof Fen,
    owedFen: { ...Fen, description: 'confirmed loads less accepted debits' } as typeof Fen,
    waitingFen: { ...Fen, description: 'to be written at the next load' } as typeof Fen,
    onlineFen: Fen,
    openItems: Type.Integer({ minimum: 0, description: 'questions about its chain that nobody has answered' })
  }, closed),
  uses: Type.Array(Type.Object({
    at: Instant, counter: Type.Integer(), amountFen: Fen, words: Words
  }, closed), { description: 'the last thirty, the latest first' }),
  mayMove: Type.Array(Type.Unsafe<typeof movesAlone[number]>(Type.String({ enum: [...movesAlone] })), {
    description: 'what whoever asks may do about it at once'
  })
}, { ...closed, $id: 'CardLookView' })
export type CardLookView = Static<typeof CardLookView>
