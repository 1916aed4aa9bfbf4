// The doors to the audit log: look who did what, and whether the chain of rows holds.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { Instant } from '../../schemas/api.ts'
import { AuditIntegrity, AuditPage, type AuditEntryView } from '../../schemas/audit.ts'
import { limits } from '../../schemas/limits.ts'
import { AuditProof } from '../../schemas/proof.ts'
import { auditIntegrity } from '../people/audit.ts'
import type { Ledger } from '../ledger.ts'
import { proveAudit } from '../proof/prove.ts'
import { instantIn } from '../refusal.ts'
import { findAudit, type AuditRow } from '../store/audit.ts'
import type { App } from './app.ts'
import type { Capacity } from './auth.ts'
import { pageLimit } from './page.ts'

const Text = Type.Optional(Type.String({ minLength: 1, maxLength: 128 }))
const Filter = Type.Object({
  by: Text,
  action: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'day finds day.close too' })),
  subject: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'what it begins with' })),
  from: Type.Optional(Instant),
  to: Type.Optional(Instant),
  before: Type.Optional(Type.String({ pattern: '^\\d{1,15}$', description: 'older than this one' })),
  limit: Type.Optional(Type.String({ pattern: '^\\d{1,4}$', description: `at most ${limits.pageItemsMax}` }))
}, { additionalProperties: false })
const After = Type.Object({
  after: Type.Optional(Type.String({ pattern: '^\\d{1,15}$', description: 'rows that are known already' }))
}, { additionalProperties: false })
const allow: readonly Capacity[] = ['auditor', 'admin']

export const auditRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/audit', {
    config: { allow }, schema: { querystring: Filter, response: { 200: AuditPage } }
  }, async ({ query }) => {
    const limit = pageLimit(query.limit)
    const rows = await findAudit(ledger.db, {
      by: query.by ?? null, action: query.action ?? null, subject: query.subject ?? null,
      fromMs: query.from === undefined ? null : instantIn(query.from, '/from'),
      toMs: query.to === undefined ? null : instantIn(query.to, '/to'),
      before: query.before === undefined ? null : BigInt(query.before), limit
    })
    return { items: rows.map(entryOf), next: rows.length < limit ? null : String(rows.at(-1)?.seq) }
  })

  app.get('/v1/audit/integrity', {
    config: { allow }, schema: { response: { 200: AuditIntegrity } }
  }, async () => {
    const { rows, head, broken } = await auditIntegrity(ledger.db)
    return { ok: broken === null, rows, head: Buffer.from(head).toString('hex').toUpperCase(), broken }
  })

  // For an old head that somebody kept: the log must still lead through what it says.
  app.get('/v1/audit/proof', {
    config: { allow }, schema: { querystring: After, response: { 200: AuditProof } }
  }, async ({ query }) => await proveAudit(ledger.db, Number(query.after ?? '0')))
}

const entryOf = ({ seq, atMs, by, action, subject, detail, hash }: AuditRow): AuditEntryView => ({
  seq: Number(seq), at: formatIso(atMs), by, action, subject, detail: readable(detail),
  hash: hash.toString('hex').toUpperCase()
})

/** A row somebody has tampered with is shown as it stands. */
function readable (detail: string): unknown {
  try {
    return JSON.parse(detail) as unknown
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return detail
  }
}
