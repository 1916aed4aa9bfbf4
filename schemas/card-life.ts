// The life of a card as data: the kinds of cards, the states of a card, and who may move it from which to
// which. It refuses to know money and who is who.
import { Type, type Static } from 'typebox'
import { type BlacklistEntry, type Card, Instant, type Role } from './api.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const keysOf = <T extends string>(table: Readonly<Record<T, unknown>>): T[] => Object.keys(table) as T[]

/* ---- kinds of cards ---- */

export type CardType = Card['type']
/** `named`: it is one person's. */
type TypeRow = { readonly named: boolean, readonly says: string }
export const cardTypes: Readonly<Record<CardType, TypeRow>> = {
  anonymous: { named: false, says: 'sold to anybody' },
  named: { named: true, says: 'of a person who showed a document' },
  student: { named: true, says: 'of a pupil or student, whose school says so each year' },
  senior: { named: true, says: 'of a person above an age' },
  staff: { named: true, says: 'of somebody who works for the issuer or an operator' },
  test: { named: false, says: 'moves no money' },
  'social-security': { named: true, says: 'of an insured person; authorities agree before it is made' }
}
/** What is none of ours (`foreign`) is nobody's we know. */
export const isNamed = (type: string): boolean =>
  Object.hasOwn(cardTypes, type) && cardTypes[type as CardType].named

/* ---- states of a card ---- */

/** Numbers of a city's card centre. */
export const cardStates = {
  not_enabled: 0, normal: 1, oral_loss: 2, loss: 3, locked: 4, void: 7, cancelled: 9
} as const
export type CardState = keyof typeof cardStates
export const CardStateName = literals(keysOf(cardStates))

export type MoveRow = {
  readonly from: readonly CardState[]
  readonly to: CardState
  /**
   * Who may: people of these roles alone, or two people by a proposal of kind `card_move`. Empty: nobody by
   * itself; it comes of something else (a day that begins, a replacement, a return, a registry).
   */
  readonly by: readonly Role[]
  readonly fourEyes?: true
  /** What the blacklist says of the card from now on; null: the card leaves it. Absent: nothing changes. */
  readonly listed?: BlacklistEntry['reason'] | null
  /** Only cards of persons: others cannot be told from anybody's. */
  readonly namedOnly?: true
  readonly says: string
}

export const cardMoves = {
  withhold: {
    from: ['normal'], to: 'not_enabled', by: [], says: 'made for an application, and not handed over yet'
  },
  enable: { from: ['not_enabled'], to: 'normal', by: ['clerk'], says: 'handed over to its holder' },
  report_orally: {
    from: ['normal'], to: 'oral_loss', by: ['clerk', 'hotline'], listed: 'oral_loss', namedOnly: true,
    says: 'lost, by telephone or without a document; lapses by itself'
  },
  report_loss: {
    from: ['normal', 'oral_loss'], to: 'loss', by: ['clerk'], listed: 'loss', namedOnly: true,
    says: 'lost, in writing and with a document'
  },
  lift_oral: {
    from: ['oral_loss'], to: 'normal', by: ['clerk'], listed: null,
    says: 'found before it was reported formally'
  },
  lapse: {
    from: ['oral_loss'], to: 'normal', by: [], listed: null, says: 'an oral report that nobody confirmed'
  },
  lift_loss: {
    from: ['loss'], to: 'normal', by: ['clerk'], fourEyes: true, listed: null, says: 'found in time'
  },
  lock: {
    from: ['normal'], to: 'locked', by: ['clerk', 'registrar'], listed: 'fraud',
    says: 'suspicion of fraud'
  },
  unlock: {
    from: ['locked'], to: 'normal', by: ['clerk', 'registrar'], fourEyes: true, listed: null,
    says: 'the suspicion was wrong'
  },
  die: {
    from: ['not_enabled', 'normal', 'oral_loss', 'loss', 'locked'], to: 'void', by: ['clerk'], fourEyes: true,
    listed: 'death', namedOnly: true, says: 'its holder has died'
  },
  registry_lost: {
    from: ['normal', 'oral_loss'], to: 'loss', by: [], listed: 'loss', namedOnly: true,
    says: 'lost, as the registry of social-security cards has it'
  },
  registry_lifted: {
    from: ['oral_loss', 'loss'], to: 'normal', by: [], listed: null,
    says: 'not lost, as the registry of social-security cards has it'
  },
  registry_cancelled: {
    from: ['not_enabled', 'normal', 'oral_loss', 'loss', 'locked'], to: 'void', by: [], listed: 'cancelled',
    says: 'no card of social security any more'
  },
  replace: {
    from: ['not_enabled', 'normal', 'oral_loss', 'loss', 'locked'], to: 'void', by: [], listed: 'cancelled',
    says: 'another card took its place'
  },
  give_back: {
    from: ['not_enabled', 'normal'], to: 'cancelled', by: [], listed: 'cancelled',
    says: 'returned, and what was on it paid out'
  }
} as const satisfies Readonly<Record<string, MoveRow>>
export type CardMove = keyof typeof cardMoves
export const cardMoveRow = (move: CardMove): MoveRow => cardMoves[move]

const movesOf = (fits: (row: MoveRow) => boolean): CardMove[] =>
  keysOf(cardMoves).filter(move => fits(cardMoves[move]))
export const movesAlone = movesOf(({ by, fourEyes }) => by.length > 0 && fourEyes !== true)
export const movesByTwo = movesOf(({ fourEyes }) => fourEyes === true)

const Why = Type.String({ minLength: 1, maxLength: 200, description: 'for the audit log; no personal data' })

export const MoveRequest = Type.Object({
  move: literals(movesAlone), reason: Why
}, { ...closed, $id: 'MoveRequest' })
export type MoveRequest = Static<typeof MoveRequest>

/** The body of a proposal `card_move`. */
export const MoveByTwo = Type.Object({ card: CardRef, move: literals(movesByTwo) }, closed)
export type MoveByTwo = Static<typeof MoveByTwo>

export const CardLifeView = Type.Object({
  card: CardRef,
  type: Type.String(),
  state: CardStateName,
  listed: Type.Union([Type.String(), Type.Null()], { description: 'what the blacklist says of it' }),
  holder: Type.Union([Type.String(), Type.Null()], { description: 'token of the person whose it is' }),
  moves: Type.Array(Type.Object({
    move: literals(keysOf(cardMoves)), from: CardStateName, to: CardStateName, by: Type.String(),
    reason: Type.String(), at: Instant
  }, closed), { description: 'oldest first' })
}, { ...closed, $id: 'CardLifeView' })
export type CardLifeView = Static<typeof CardLifeView>
