// The JSON of staff and their sessions.
import { Type, type Static } from 'typebox'
import { Instant, roles, type Role } from './api.ts'

const closed = { additionalProperties: false } as const
const Roles = Type.Array(Type.Unsafe<Role>(Type.String({ enum: [...roles] })))

/** An office of the card company. */
export const BranchCode = Type.String({ pattern: '^[0-9A-Z-]{1,15}$', description: 'a branch' })
const Branch = Type.Union([BranchCode, Type.Null()], { description: 'null: the whole city' })

export const StaffView = Type.Object({
  name: Type.String(), roles: Roles, branch: Branch, active: Type.Boolean(),
  mustChange: Type.Boolean({ description: 'the password must be changed before anything else' })
}, { ...closed, $id: 'StaffView' })
export type StaffView = Static<typeof StaffView>

export const SessionView = Type.Object({
  id: Type.String(), name: Type.String(), openedAt: Instant, seenAt: Instant, expiresAt: Instant
}, { ...closed, $id: 'SessionView' })
export type SessionView = Static<typeof SessionView>

export const PasswordChange = Type.Object({
  old: Type.String({ minLength: 1, maxLength: 256 }),
  wanted: Type.String({ minLength: 1, maxLength: 256 })
}, { ...closed, $id: 'PasswordChange' })

export const InitialPassword = Type.Object({
  password: Type.String({ description: 'told once; serves only to choose another' })
}, { ...closed, $id: 'InitialPassword' })
