// The program on a phone, as the ledger sees it: a person of its company who acts for it, taken in by two
// administrators. It refuses to know what a code says.
import { cardKey } from '../../schemas/record.ts'
import type { BoundPhone } from '../../schemas/phone-code.ts'
import { propose } from './proposals.ts'
import { StepError } from './verb.ts'
import { known, type World } from './world.ts'

type Program = { readonly token: string }

/** Signed in for this company; the first time it is taken in and chooses a password. */
export async function programOf (world: World, party: string): Promise<Program> {
  const there = world.answers.get(`program of ${party}`)
  if (there !== undefined) return there as Program
  const name = `program.${party.toLowerCase()}`
  await propose(world, {
    kind: 'company_member', by: 'admin-1', approvers: ['admin-2'],
    reason: 'its program shows codes on phones',
    body: { name, party, role: 'handler', active: true, initialPassword: true }
  })
  const { password: old } = await world.api.call({
    method: 'POST', path: `/v1/staff/${name}/initial-password`, as: { staff: 'admin-1' }
  }) as { password: string }
  const { token } = await world.api.call({
    method: 'POST', path: '/v1/session', as: null, json: { name, password: old }
  }) as Program
  const wanted = `codes of ${party} on many screens`
  await world.api.call({ method: 'PUT', path: '/v1/session/password', as: { token }, json: { old, wanted } })
  world.answers.set(`program of ${party}`, { token })
  return { token }
}

export type Bound = BoundPhone & { readonly party: string }

/** The phone of a card that was bound last. */
export const phoneOf = (world: World, card: string): Bound => {
  const bound = world.answers.get(`phone ${cardKey(known(world.chips, 'card', card).ref)}`)
  if (bound !== undefined) return bound as Bound
  throw new StepError(`card ${card} has no phone`, `bind_phone: { card: ${card}, program: SHP }`)
}

export const rememberPhone = (world: World, card: string, bound: Bound): void => {
  world.answers.set(`phone ${cardKey(known(world.chips, 'card', card).ref)}`, bound)
}

export const codeSaid = (world: World, said: string): string => {
  const code = world.answers.get(`code ${said}`)
  if (typeof code === 'string') return code
  throw new StepError(`no code “${said}” was shown`, 'the name after as: of a show_code before')
}
