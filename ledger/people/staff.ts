// Who belongs to the staff, with which roles and in which branch: decided by two administrators. An initial
// password is fetched once, by the one who asked for it after another has agreed, and must be changed.
import { Type, type Static } from 'typebox'
import { roles, type Role } from '../../schemas/api.ts'
import { BranchCode } from '../../schemas/staff.ts'
import { audit } from './audit.ts'
import { wholeCity } from '../core/branches.ts'
import type { Ledger } from '../ledger.ts'
import type { ProposalKind } from './proposals.ts'
import { Refusal } from '../refusal.ts'
import { hashPassword } from './sign-in.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  closeSessionsOf, deactivate, findClient, grantPassword, lockStaff, setPassword, upsertMember, type StaffRow
} from '../store/staff.ts'

export const PersonName = Type.String({ pattern: '^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$' })

const Body = Type.Object({
  name: PersonName,
  roles: Type.Array(Type.Unsafe<Role>(Type.String({ enum: [...roles] })), { maxItems: roles.length }),
  branch: Type.Union([BranchCode, Type.Null()]),
  active: Type.Boolean(),
  initialPassword: Type.Boolean({ description: 'whoever starts this may then fetch an initial password' })
}, { additionalProperties: false })
type Body = Static<typeof Body>

/** A new member, other roles, another branch, coming back after leaving, a forgotten password. */
export const staffMemberKind: ProposalKind = {
  body: Body,
  start: ['admin'],
  decide: ['admin'],
  approvals: 1,
  branches: async (tx, _ledger, { name, branch }: Body) => {
    const before = await lockStaff(tx, name)
    return [branch, ...before === null ? [] : [before.branch]].map(one => one ?? wholeCity)
  },
  subject: ({ name }: Body) => `staff/${name}`,
  mayNotDecide: async (_tx, by, { name }: Body) =>
    by.name === name ? 'nobody decides on their own roles' : null,
  look: async (tx, _ledger, { name, roles, initialPassword }: Body) => {
    const mixed = roles.includes('admin') && roles.some(role => handling.has(role))
    if (mixed) throw new Refusal('registry_invalid', 'who manages staff handles no money', '/body/roles')
    const before = await personNamed(tx, name, initialPassword)
    if (before !== null && before.party !== null) {
      throw new Refusal('registry_invalid', `${name} is a person of ${before.party}: use another name`,
        '/body/name')
    }
    return { before: before === null ? null : shown(before) }
  },
  carryOut: async (tx, _ledger, { initialPassword, ...member }: Body, { startedBy }) => {
    await upsertMember(tx, { ...member, party: null })
    const now = await lockStaff(tx, member.name)
    if (now !== null && !member.active) await closeSessionsOf(tx, now.staffId, null)
    if (initialPassword) await grantPassword(tx, member.name, startedBy)
    return now === null ? null : shown(now)
  }
}

/** Who has this name now, or null. Throws Refusal registry_invalid where no person may be called so. */
export async function personNamed (tx: Tx, name: string, initialPassword: boolean): Promise<StaffRow | null> {
  if (name === 'system' || await findClient(tx, name) !== null) {
    throw new Refusal('registry_invalid', `${name} is no person: the audit log could not tell them apart`)
  }
  const before = await lockStaff(tx, name)
  if (before === null && !initialPassword) {
    throw new Refusal('registry_invalid', `${name} is new and needs an initial password`, '/body')
  }
  return before
}

/** Roles that move money or decide about it: whoever hands out roles holds none of them. */
const handling: ReadonlySet<Role> = new Set<Role>(['registrar', 'clerk', 'settler', 'approver'])

const shown = ({ roles, branch, active }: StaffRow) => ({ roles, branch, active })

/** Makes the initial password that was granted to `by`, once. Throws Refusal not_found, forbidden. */
export async function fetchInitialPassword (ledger: Ledger, by: string, name: string): Promise<string> {
  const password = ledger.random(12).toString('base64url')
  const passwordHash = await hashPassword(password)
  await inTransaction(ledger.db, async tx => {
    const member = await known(tx, name)
    if (member.grantedTo !== by) {
      throw new Refusal('forbidden', `no initial password of ${name} was granted to ${by}`)
    }
    await setPassword(tx, member.staffId, passwordHash, true)
    await closeSessionsOf(tx, member.staffId, null)
    await audit(tx, ledger.clock.now(), { by, action: 'password.initial', subject: `staff/${name}` })
  })
  return password
}

/** Locks somebody out at once: that needs no second person, coming back does. Throws Refusal not_found. */
export async function lockMember (ledger: Ledger, by: string, name: string): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    const { staffId } = await known(tx, name)
    await deactivate(tx, staffId)
    const ended = await closeSessionsOf(tx, staffId, null)
    const detail = { sessionsEnded: ended }
    await audit(tx, ledger.clock.now(), { by, action: 'staff.lock', subject: `staff/${name}`, detail })
  })
}

async function known (tx: Tx, name: string): Promise<StaffRow> {
  const member = await lockStaff(tx, name)
  if (member === null) throw new Refusal('not_found', `there is nobody called ${name}`)
  return member
}
