// The JSON of staff and their sessions.
import { Type, type Static } from 'typebox'
import { Instant, roles, type Role } from './api.ts'

const closed = { additionalProperties: false } as const

/** What a person of a company may do: look only, or also send, tell, refund and dispute for it. */
export const companyRoles = ['viewer', 'handler'] as const
export type CompanyRole = typeof companyRoles[number]
export const CompanyRoleName = Type.Unsafe<CompanyRole>(Type.String({ enum: [...companyRoles] }))
export type PersonRole = Role | CompanyRole
export const PersonRoles = Type.Array(Type.Unsafe<PersonRole>(
  Type.String({ enum: [...roles, ...companyRoles] })))

/** An office of the card company. */
export const BranchCode = Type.String({ pattern: '^[0-9A-Z-]{1,15}$', description: 'a branch' })
const Branch = Type.Union([BranchCode, Type.Null()], { description: 'null: the whole city' })

export const StaffView = Type.Object({
  name: Type.String(), roles: PersonRoles, branch: Branch,
  party: Type.Union([Type.String(), Type.Null()], { description: 'the company it is a person of' }),
  active: Type.Boolean(),
  mustChange: Type.Boolean({ description: 'the password must be changed before anything else' })
}, { ...closed, $id: 'StaffView' })
export type StaffView = Static<typeof StaffView>

export const SignInReply = Type.Object({
  token: Type.String(), expiresAt: Instant,
  roles: PersonRoles,
  branch: Type.Union([Type.String(), Type.Null()], { description: 'null: the whole city' }),
  party: Type.Union([Type.String(), Type.Null()], { description: 'a person of this company; null: staff' }),
  mustChange: Type.Boolean({ description: 'choose another password before anything else' })
}, { ...closed, $id: 'SignInReply' })

export const OwnSession = Type.Object({
  name: Type.String(), expiresAt: Instant, roles: PersonRoles,
  branch: Type.Union([Type.String(), Type.Null()], { description: 'null: the whole city' }),
  party: Type.Union([Type.String(), Type.Null()], { description: 'a person of this company; null: staff' }),
  mustChange: Type.Boolean({ description: 'choose another password before anything else' }),
  csrf: Type.Union([Type.String(), Type.Null()], {
    description: 'in a browser: sent as `x-csrf-token` beside each deed; null with a bearer token'
  })
}, { ...closed, $id: 'OwnSession', description: 'the token itself is in a cookie that no script can read' })
export type OwnSession = Static<typeof OwnSession>

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
