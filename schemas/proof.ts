// Proofs as documents: what a resident, a gateway or an auditor is given, and checks with nothing but hashes
// and the city's public key. bin/verify-proof.ts reads them.
import { Type, type Static } from 'typebox'
import { SignedHead } from './api.ts'

const closed = { additionalProperties: false } as const
const Hex = Type.String({ pattern: '^([0-9A-F]{2})+$' })
const Step = Type.Object({
  index: Type.Integer({ minimum: 0 }), size: Type.Integer({ minimum: 1 }), path: Type.Array(Hex)
}, { ...closed, description: 'place of the leaf, leaves of the tree, siblings from the leaf upwards' })

/** Everything a verifier needs; `text` is what is proven. */
export const Proof = Type.Object({
  text: Type.String({ description: 'the leaf in the open: a transfer, or the batch and its delivery' }),
  salt: Hex,
  inBatch: Step,
  batch: Type.Object({ id: Type.String(), date: Type.String(), root: Hex }, closed),
  inTree: Step
}, { ...closed, $id: 'Proof' })
export type Proof = Static<typeof Proof>

export const Proofs = Type.Object({
  format: Type.Literal('citizen-card-proof-1'),
  proofs: Type.Array(Proof),
  head: SignedHead,
  publicKey: Type.String({ description: 'PEM; compare it with the one the city has published' })
}, { ...closed, $id: 'Proofs' })
export type Proofs = Static<typeof Proofs>

/** RFC 6962, 2.1.2: the tree of the first head is the beginning of the tree of the second. */
export const Consistency = Type.Object({
  format: Type.Literal('citizen-card-consistency-1'),
  first: SignedHead,
  second: SignedHead,
  path: Type.Array(Hex),
  publicKeys: Type.Array(Type.String(), {
    minItems: 2, maxItems: 2, description: 'PEM of the key of the first head, and of the second'
  })
}, { ...closed, $id: 'Consistency' })
export type Consistency = Static<typeof Consistency>

/**
 * The audit log from after a row up to where a signed head saw it: each row is hashed over the one before,
 * and the last hash is the one that was signed. For whoever may read the log.
 */
export const AuditProof = Type.Object({
  format: Type.Literal('citizen-card-audit-1'),
  after: Type.Object({ rows: Type.Integer({ minimum: 0 }), hash: Hex }, {
    ...closed, description: 'where it begins; 0 rows and 32 zero bytes: at the beginning of the log'
  }),
  entries: Type.Array(Type.Object({
    atMs: Type.Integer(), by: Type.String(), action: Type.String(), subject: Type.String(),
    detail: Type.String({ description: 'the very JSON that was hashed' })
  }, closed)),
  head: SignedHead,
  publicKey: Type.String({ description: 'PEM; compare it with the one the city has published' })
}, { ...closed, $id: 'AuditProof' })
export type AuditProof = Static<typeof AuditProof>
