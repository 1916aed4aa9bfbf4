// People of companies: who may look at, or act for, an operator or an agent. Decided by two administrators,
// as for the staff; such a person sees the own company alone. It refuses to know what there is to see.
import { Type, type Static } from 'typebox'
import { CompanyRoleName } from '../../schemas/staff.ts'
import type { ProposalKind } from './proposals.ts'
import { Refusal } from '../refusal.ts'
import { personNamed, PersonName } from './staff.ts'
import type { Tx } from '../store/db.ts'
import {
  closeSessionsOf, grantPassword, lockStaff, partyKind, upsertMember, type StaffRow
} from '../store/staff.ts'

const Body = Type.Object({
  name: PersonName,
  party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'an operator or an agent' }),
  role: CompanyRoleName,
  active: Type.Boolean({ description: 'false: it ends, with all sessions' }),
  initialPassword: Type.Boolean({ description: 'whoever starts this may then fetch an initial password' })
}, { additionalProperties: false })
type Body = Static<typeof Body>

/** A new person, another role, the end, coming back, a forgotten password. Nobody changes companies. */
export const companyMemberKind: ProposalKind = {
  body: Body,
  start: ['admin'],
  decide: ['admin'],
  approvals: 1,
  subject: ({ name }: Body) => `staff/${name}`,
  look: async (tx, _ledger, { name, party, initialPassword }: Body) => {
    await requireCompany(tx, party)
    const before = await personNamed(tx, name, initialPassword)
    if (before !== null && before.party !== party) {
      const is = before.party === null ? 'a member of staff' : `a person of ${before.party}`
      throw new Refusal('registry_invalid', `${name} is ${is}: use another name`, '/body/name')
    }
    return { before: before === null ? null : shown(before) }
  },
  carryOut: async (tx, _ledger, { role, initialPassword, ...person }: Body, { startedBy }) => {
    await upsertMember(tx, { ...person, roles: [role], branch: null })
    const now = await lockStaff(tx, person.name)
    if (now !== null && !person.active) await closeSessionsOf(tx, now.staffId, null)
    if (initialPassword) await grantPassword(tx, person.name, startedBy)
    return now === null ? null : shown(now)
  }
}

async function requireCompany (tx: Tx, party: string): Promise<void> {
  const kind = await partyKind(tx, party)
  if (kind === 'operator' || kind === 'agent') return
  throw new Refusal('registry_invalid', `${party} is ${kind ?? 'not registered'}, no operator or agent`,
    '/body/party')
}

const shown = ({ party, roles, active }: StaffRow) => ({ party, roles, active })
