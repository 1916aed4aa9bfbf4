// Persons who hold cards, as they travel: entered once, masked when looked at, whole only where somebody says
// why. It refuses to know how they are kept.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'
import { CardStateName } from './card-life.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.String({ enum: [...values] }))
const orNull = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()])

export const HolderToken = Type.String({
  pattern: '^H[0-9A-F]{16}$', description: 'names a person; drawn by chance, says nothing of him'
})
export const documentKinds = ['resident_id', 'passport', 'residence_permit', 'birth_certificate'] as const

export const IdentityDocument = Type.Object({
  kind: literals(documentKinds),
  number: Type.String({ pattern: '^[0-9A-Z-]{4,30}$', description: 'capital letters, no blanks' })
}, closed)
export type IdentityDocument = Static<typeof IdentityDocument>

const Name = Type.String({ minLength: 1, maxLength: 60 })
const Phone = Type.String({ pattern: '^\\+?[0-9-]{5,20}$' })

export const NewHolder = Type.Object({
  document: IdentityDocument, name: Name, phone: Type.Optional(Phone)
}, { ...closed, $id: 'NewHolder' })
export type NewHolder = Static<typeof NewHolder>

/** What is sealed of a person. */
export type PersonalData = {
  readonly document: IdentityDocument, readonly name: string, readonly phone: string | null
}

export const HolderView = Type.Object({
  holder: HolderToken,
  document: Type.Object({
    kind: literals(documentKinds), number: Type.String({ description: 'its last four characters' })
  }, closed),
  name: Type.String({ description: 'its first character' }),
  phone: orNull(Type.String({ description: 'its last four digits' })),
  registeredAt: Instant,
  cards: Type.Array(Type.Object({
    card: CardRef, type: Type.String(), state: CardStateName, since: Instant
  }, closed), { description: 'of this person now' })
}, { ...closed, $id: 'HolderView' })
export type HolderView = Static<typeof HolderView>

const Why = Type.String({ minLength: 1, maxLength: 200, description: 'for the audit log; no personal data' })

/** By one of the three. */
export const HolderLook = Type.Object({
  by: Type.Union([
    Type.Object({ holder: HolderToken }, closed), Type.Object({ document: IdentityDocument }, closed),
    Type.Object({ card: CardRef }, closed)]),
  reason: Why
}, { ...closed, $id: 'HolderLook' })
export type HolderLook = Static<typeof HolderLook>

export const Reveal = Type.Object({ reason: Why }, { ...closed, $id: 'Reveal' })
export const RevealedHolder = Type.Object({
  holder: HolderToken, document: IdentityDocument, name: Name, phone: orNull(Phone)
}, { ...closed, $id: 'RevealedHolder' })

export const Binding = Type.Object({ holder: HolderToken }, { ...closed, $id: 'Binding' })
