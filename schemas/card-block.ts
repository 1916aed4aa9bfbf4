// The JSON of blocking a card on its chip: a listed card lies on a reader, the ledger signs the command, the
// chip has obeyed or not. It refuses to know keys.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'
import { CardRef } from './record.ts'
import { ofTerminal } from './terminals.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const hexText = (bytes: number, description: string) =>
  Type.String({ pattern: `^[0-9A-F]{${bytes * 2}}$`, description })
const BlockKey = Type.String({
  pattern: '^[0-9A-Za-z._:-]{8,64}$', description: 'unique per client, the same on every retry'
})

export const blockForms = ['temporary', 'permanent'] as const
export type BlockForm = typeof blockForms[number]
const Form = literals(blockForms, 'of the application; a permanent block cannot be undone')

export const NewBlock = Type.Object({
  key: BlockKey,
  card: CardRef,
  ...ofTerminal,
  form: Form,
  keyVersion: Type.Integer({ minimum: 0, maximum: 255, description: 'of the maintenance key' }),
  challenge: hexText(4, 'of the chip: GET CHALLENGE just before')
}, { ...closed, $id: 'NewBlock' })
export type NewBlock = Static<typeof NewBlock>

/** Stand in order of precedence. `listed_for_now`: such an entry lifts by itself, a chip does not. */
export const blockReasons = ['ok', 'card_unknown', 'not_listed', 'listed_for_now', 'key_unknown'] as const
export type BlockReason = typeof blockReasons[number]

export const BlockReply = Type.Object({
  key: Type.String(),
  reason: literals(blockReasons, 'ok, or why the chip must not be blocked'),
  mac: Type.Union([hexText(4, 'of APPLICATION BLOCK'), Type.Null()])
}, { ...closed, $id: 'BlockReply' })
export type BlockReply = Static<typeof BlockReply>

export const blockStates = ['open', 'blocked', 'refused'] as const
export type BlockState = typeof blockStates[number]
const State = literals(blockStates, 'open: nobody knows whether the chip obeyed')

export const BlockOutcome = Type.Object({
  key: BlockKey, card: CardRef, outcome: literals(['blocked', 'refused'], 'what the chip said')
}, { ...closed, $id: 'BlockOutcome' })
export type BlockOutcome = Static<typeof BlockOutcome>
export const BlockOutcomeReply = Type.Object({ key: Type.String(), state: State }, {
  ...closed, $id: 'BlockOutcomeReply'
})
export type BlockOutcomeReply = Static<typeof BlockOutcomeReply>

export const BlockView = Type.Object({
  card: Type.String(), ...ofTerminal, form: Form, listedFor: Type.String(), state: State,
  requestedAt: Instant, decidedAt: Type.Union([Instant, Type.Null()])
}, { ...closed, $id: 'BlockView' })
export type BlockView = Static<typeof BlockView>
