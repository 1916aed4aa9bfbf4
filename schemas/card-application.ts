// An application for a card as data: its states, who may move it from which to which, and why a card is
// wanted. It refuses to know who applies.
import { Type, type Static } from 'typebox'
import { Card, Instant, type Role } from './api.ts'
import type { CardType } from './card-life.ts'
import { HolderToken } from './holder.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))

/** Numbers of a city's card centre. */
export const applicationStates = {
  applied: 0, task_made: 10,
  health_asked: 11, health_refused: 12, health_approved: 13,
  bank_asked: 14, bank_refused: 15, bank_approved: 16,
  department_asked: 17, department_refused: 18, department_approved: 19,
  in_production: 20, made: 30, account_asked: 31, account_refused: 32, account_opened: 33,
  shipped: 40, received: 50, issued: 60, returned: 70, recycled: 80, cancelled: 90
} as const
export type ApplicationState = keyof typeof applicationStates
export const ApplicationStateName = literals(Object.keys(applicationStates) as ApplicationState[])

/** `only`: for cards of this type alone; `except`: for all others. */
export type Way = {
  readonly to: ApplicationState, readonly by: readonly Role[], readonly only?: CardType
  readonly except?: CardType
}
const office = ['clerk', 'registrar'] as const
const registrar = ['registrar'] as const
const over: Way = { to: 'cancelled', by: office }

/** From which state to which, and who may. Authorities are asked for cards of social security alone. */
export const applicationWays: Readonly<Record<ApplicationState, readonly Way[]>> = {
  applied: [{ to: 'task_made', by: office }, over],
  task_made: [
    { to: 'in_production', by: registrar, except: 'social-security' },
    { to: 'health_asked', by: registrar, only: 'social-security' }, over],
  health_asked: [{ to: 'health_refused', by: registrar }, { to: 'health_approved', by: registrar }],
  health_refused: [over],
  health_approved: [{ to: 'bank_asked', by: registrar }, over],
  bank_asked: [{ to: 'bank_refused', by: registrar }, { to: 'bank_approved', by: registrar }],
  bank_refused: [over],
  bank_approved: [{ to: 'department_asked', by: registrar }, over],
  department_asked: [
    { to: 'department_refused', by: registrar }, { to: 'department_approved', by: registrar }],
  department_refused: [over],
  department_approved: [{ to: 'in_production', by: registrar }, over],
  in_production: [{ to: 'made', by: registrar }, over],
  made: [
    { to: 'shipped', by: registrar }, { to: 'received', by: office },
    { to: 'account_asked', by: registrar, only: 'social-security' }, over],
  account_asked: [
    { to: 'account_refused', by: registrar }, { to: 'account_opened', by: registrar }],
  account_refused: [over],
  account_opened: [{ to: 'shipped', by: registrar }],
  shipped: [{ to: 'received', by: office }],
  received: [{ to: 'issued', by: ['clerk'] }, { to: 'returned', by: ['clerk'] }],
  issued: [],
  returned: [{ to: 'received', by: ['clerk'] }, { to: 'recycled', by: office }],
  recycled: [over],
  cancelled: []
}

export const applicationReasons = [
  'first', 'quality', 'damage', 'printed_data', 'bank_change', 'expiry', 'lost', 'other'
] as const

export const NewApplication = Type.Object({
  holder: HolderToken,
  type: Card.properties.type,
  why: literals(applicationReasons, 'first, or why another card is wanted')
}, { ...closed, $id: 'NewApplication' })
export type NewApplication = Static<typeof NewApplication>

export const ApplicationMove = Type.Object({
  to: ApplicationStateName,
  card: Type.Optional({ ...CardRef, description: 'with `made`: which card it became' } as typeof CardRef),
  reason: Type.String({ minLength: 1, maxLength: 200, description: 'for the audit log; no personal data' })
}, { ...closed, $id: 'ApplicationMove' })
export type ApplicationMove = Static<typeof ApplicationMove>

export const ApplicationView = Type.Object({
  application: Type.Integer({ description: 'its number' }),
  holder: HolderToken,
  type: Card.properties.type,
  why: literals(applicationReasons),
  state: ApplicationStateName,
  card: Type.Union([CardRef, Type.Null()]),
  appliedAt: Instant,
  steps: Type.Array(Type.Object({
    from: ApplicationStateName, to: ApplicationStateName, by: Type.String(), reason: Type.String(),
    at: Instant
  }, closed))
}, { ...closed, $id: 'ApplicationView' })
export type ApplicationView = Static<typeof ApplicationView>
