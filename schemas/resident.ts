// The JSON by which residents come in and go out. It refuses to know the staff, and what is shown inside.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'
import { HolderToken, IdentityDocument } from './holder.ts'

const closed = { additionalProperties: false } as const
const Password = Type.String({ minLength: 1, maxLength: 256 })

/** 256 random bits. */
const Code = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })

export const ActivationCode = Type.Object({
  code: { ...Code, description: 'told once, kept nowhere; used once' } as typeof Code,
  goodUntil: Instant
}, { ...closed, $id: 'ActivationCode' })
export type ActivationCode = Static<typeof ActivationCode>

export const Activation = Type.Object({
  document: IdentityDocument, code: Code, password: Password
}, { ...closed, $id: 'Activation' })
export type Activation = Static<typeof Activation>

export const ResidentSignIn = Type.Object({
  document: IdentityDocument, password: Password
}, { ...closed, $id: 'ResidentSignIn' })
export type ResidentSignIn = Static<typeof ResidentSignIn>

export const ResidentSession = Type.Object({
  holder: HolderToken,
  name: Type.String({ description: 'its first character' }),
  expiresAt: Instant,
  csrf: Type.String({ description: 'sent as `x-csrf-token` beside each deed' })
}, { ...closed, $id: 'ResidentSession', description: 'the token itself is in a cookie that no script reads' })
export type ResidentSession = Static<typeof ResidentSession>
