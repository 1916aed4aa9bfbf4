// The first people and machines of a new ledger. Idempotent: the same file again changes nothing but secrets.
import { Type, type Static } from 'typebox'
import { roles as staffRoles } from '../../schemas/api.ts'
import { BranchCode, companyRoles, PersonRoles } from '../../schemas/staff.ts'
import { audit } from './audit.ts'
import { passwordLengthMin } from '../core/password.ts'
import { Refusal } from '../refusal.ts'
import { hashOf, hashPassword } from './sign-in.ts'
import { inTransaction, type Db } from '../store/db.ts'
import { upsertClient, upsertStaff, type ClientKind } from '../store/staff.ts'

const closed = { additionalProperties: false } as const
const kinds: readonly ClientKind[] = [
  'gateway', 'operator', 'agent', 'registrar', 'auditor', 'centre', 'platform', 'social-security'
]

export const BootstrapFile = Type.Object({
  staff: Type.Optional(Type.Array(Type.Object({
    name: Type.String({ minLength: 1, maxLength: 64 }),
    password: Type.String({ minLength: passwordLengthMin, maxLength: 256 }),
    initial: Type.Optional(Type.Boolean({ description: 'true: must be changed at the first sign-in' })),
    branch: Type.Optional(BranchCode),
    party: Type.Optional(Type.String({
      pattern: '^[A-Z0-9-]{1,15}$', description: 'a person of this company, not of the staff'
    })),
    roles: PersonRoles
  }, closed))),
  clients: Type.Optional(Type.Array(Type.Object({
    id: Type.String({ pattern: '^[0-9A-Za-z_-]{1,32}$' }),
    kind: Type.Unsafe<ClientKind>(Type.String({ enum: [...kinds] })),
    secret: Type.String({
      minLength: 32, maxLength: 128,
      description: '256 random bits in hex or base64url'
    }),
    party: Type.Optional(Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }))
  }, closed)))
}, closed)
export type BootstrapFile = Static<typeof BootstrapFile>

/**
 * Adds or replaces staff and clients. Throws Refusal for a client of a party that is not registered, or of an
 * operator or agent that is not named: it would see all of them.
 */
export async function bootstrap (
  db: Db, { staff = [], clients = [] }: BootstrapFile, atMs: number
): Promise<void> {
  staff.forEach(requireFitting)
  const members = await Promise.all(staff.map(async ({ name, password, roles, branch, initial, party }) => ({
    name, roles, passwordHash: await hashPassword(password), branch: branch ?? null,
    mustChange: initial ?? false, party: party ?? null
  })))
  const homeless = clients.find(({ kind, party }) =>
    (kind === 'operator' || kind === 'agent') && party === undefined)
  if (homeless !== undefined) {
    throw new Refusal('registry_invalid', `client ${homeless.id}: say which ${homeless.kind} it is of`)
  }
  await inTransaction(db, async tx => {
    for (const member of members) await upsertStaff(tx, member)
    for (const { id, kind, secret, party = null } of clients) {
      if (await upsertClient(tx, { id, kind, party, secretHash: hashOf(secret) })) continue
      throw new Refusal('registry_invalid', `client ${id}: no party ${party} is registered`)
    }
    const detail = {
      staff: staff.map(({ name, roles }) => ({ name, roles })),
      clients: clients.map(({ id, kind }) => ({ id, kind }))
    }
    await audit(tx, atMs, { by: 'system', action: 'bootstrap', subject: 'staff', detail })
  })
}

/** Roles of the staff are not for people of companies, and theirs not for the staff. */
function requireFitting ({ name, roles, party }: NonNullable<BootstrapFile['staff']>[number]): void {
  const allowed: readonly string[] = party === undefined ? staffRoles : companyRoles
  const wrong = roles.find(role => !allowed.includes(role))
  if (wrong !== undefined) {
    throw new Refusal('registry_invalid', `${name}: ${wrong} is none of ${allowed.join(', ')}`)
  }
}
