// The JSON of the audit log: who did what, and whether its chain holds.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'

const closed = { additionalProperties: false } as const
const Hash = Type.String({ pattern: '^[0-9A-F]{64}$' })

export const AuditEntryView = Type.Object({
  seq: Type.Integer({ minimum: 1, description: 'from 1, without gaps' }),
  at: Instant,
  by: Type.String({ description: 'staff name, client id, or system' }),
  action: Type.String({ description: 'thing and verb: day.close' }),
  subject: Type.String({ description: 'what it was done to: day/2026-03-02' }),
  detail: Type.Unknown(),
  hash: Hash
}, { ...closed, $id: 'AuditEntry' })
export type AuditEntryView = Static<typeof AuditEntryView>

export const AuditPage = Type.Object({
  items: Type.Array(AuditEntryView),
  next: Type.Union([Type.String(), Type.Null()], { description: 'the next `before`' })
}, { ...closed, $id: 'AuditPage' })

export const AuditIntegrity = Type.Object({
  ok: Type.Boolean(),
  rows: Type.Integer({ description: 'rows that follow unbroken from the first' }),
  head: { ...Hash, description: 'hash of the last of them' } as typeof Hash,
  broken: Type.Union([Type.String(), Type.Null()], { description: 'the first broken link, in words' })
}, { ...closed, $id: 'AuditIntegrity' })
export type AuditIntegrity = Static<typeof AuditIntegrity>
