// Bills of clinics over the public API: who is insured, what is asked for a person, what was answered.
import { readFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { parse } from 'yaml'
import type { ClinicReply } from '../../schemas/medical/clinic.ts'
import { costClasses, settings } from '../../schemas/medical/rule-set.ts'
import { mappingOf } from './check.ts'
import { debitOf } from './debits.ts'
import { activate, type Published } from './parameters.ts'
import { day, name, oneOf, text, whole, yes, yuan } from './values.ts'
import { StepError } from './verb.ts'
import { known, nextName, type World } from './world.ts'

const closed = { additionalProperties: false } as const

/* ---- who takes part ---- */

export const rulesSaid = Type.Object({
  file: text('path of the rule set; from where the command is started'),
  version: Type.Optional(whole('that of the file when absent')),
  from: Type.Optional(day('counts from; that of the file when absent'))
}, closed)

export async function publishRules (
  world: World, { file, ...changed }: Static<typeof rulesSaid>
): Promise<void> {
  const json = { ...parse(readFileSync(file, 'utf8')) as object, ...changed }
  const call = { method: 'POST', path: '/v1/clinic/rules', as: 'registrar', json } as const
  await activate(world, (await world.api.call(call)) as Published)
}

export const insuredSaid = mappingOf(
  name('a person: also the number in the insurance'),
  Type.Object({
    card: name('the card that pays'),
    area: Type.Optional(text('division code of the pool; 430400 when absent')),
    scheme: Type.Optional(name('employee when absent')),
    category: Type.Optional(name('active when absent')),
    born: Type.Optional(day('date of birth')),
    tags: Type.Optional(Type.Array(name('such as in-need'), { description: 'marks that rules ask for' })),
    family: Type.Optional(name('whose account may pay too'))
  }, closed),
  'insured persons by number'
)
export type InsuredSaid = Static<typeof insuredSaid>

/** New ones, and known ones as they are from now on. */
export async function enterPersons (world: World, said: InsuredSaid): Promise<void> {
  const persons = Object.entries(said).map(([person, one]) => {
    const { card, area = '430400', scheme = 'employee', category = 'active', born, tags, family } = one
    return {
      person, card: known(world.chips, 'card', card).ref, area, scheme, category,
      ...born === undefined ? {} : { bornOn: born }, ...tags === undefined ? {} : { tags },
      ...family === undefined ? {} : { family }
    }
  })
  await world.api.call({ method: 'PUT', path: '/v1/clinic/persons', as: 'registrar', json: { persons } })
}

/** Premiums of a person, as the bank told them: two people put them onto the account. */
export async function creditAccount (world: World, person: string, amountFen: number): Promise<void> {
  const { id } = await world.api.call({
    method: 'POST', path: '/v1/proposals', as: { staff: 'clerk' }, json: {
      kind: 'medical_credit', reason: 'premiums of the month',
      body: { person, amountFen, bankReference: nextName(world, 'premiums') }
    }
  }) as { id: number }
  await world.api.call({
    method: 'POST', path: `/v1/proposals/${id}/decisions`, as: { staff: 'approver-1' },
    json: { approves: true }
  })
}

/* ---- bills ---- */

export const billSaid = {
  clinic: name('a clinic'),
  person: name('an insured person'),
  items: mappingOf(oneOf(costClasses, 'a class of costs'), yuan(), 'what was done, by class'),
  setting: Type.Optional(oneOf(settings, 'outpatient when absent')),
  date: Type.Optional(day('of the bill; today when absent')),
  visit: Type.Optional(name('the same one again is the same visit; a new one when absent')),
  pays: Type.Optional(Type.Object({
    account: Type.Optional(yes('the personal account may pay')),
    family: Type.Optional(yes('the account of the family may pay')),
    online: Type.Optional(yes('the online account of the card may pay')),
    chip: Type.Optional(yuan('what the chip could pay, or has paid')),
    record: Type.Optional(text('CARD/COUNTER or the name of the record: what the chip has paid'))
  }, closed))
}
export const BillSaid = Type.Object(billSaid, closed)
export type BillSaid = Static<typeof BillSaid>

export async function bodyOf (world: World, said: BillSaid): Promise<object> {
  const { person, items, setting = 'outpatient', date, visit, pays = {} } = said
  const { account, family, online, chip, record } = pays
  if (online === true && chip !== undefined) throw new StepError('both pay', 'online or chip')
  const purse = chip !== undefined
    ? { by: 'chip', amountFen: chip, ...record === undefined ? {} : { debit: await debitOf(world, record) } }
    : online === true ? { by: 'online' } : undefined
  return {
    person, setting, visit: visit ?? nextName(world, 'visit'), ...date === undefined ? {} : { date },
    items: Object.entries(items).map(([kind, amountFen]) =>
      ({ item: `of class ${kind}`, class: kind, amountFen: amountFen as number })),
    pays: {
      ...account === undefined ? {} : { account }, ...family === undefined ? {} : { family },
      ...purse === undefined ? {} : { purse }
    }
  }
}

export async function askClinic (
  world: World, clinic: string, what: string, json: object
): Promise<ClinicReply> {
  known(world.clinics, 'clinic', clinic)
  const path = `/v1/clinic/${clinic}/${what}`
  return await world.api.call({ method: 'POST', path, as: 'gateway', json }) as ClinicReply
}

/* ---- what was asked and answered, by name ---- */

/** `message`: null of a look ahead. */
export type Asked = { readonly clinic: string, readonly message: string | null, readonly reply: ClinicReply }

export const as = Type.Optional(name('a name for the answer; the last one has none'))

export const remember = (world: World, as: string | undefined, asked: Asked): void => {
  for (const each of new Set([as ?? 'last', 'last'])) world.answers.set(`at a clinic: ${each}`, asked)
}

export function askedAs (world: World, said: string | undefined): Asked {
  const asked = world.answers.get(`at a clinic: ${said ?? 'last'}`)
  if (asked !== undefined) return asked as Asked
  throw new StepError(`no clinic asked for “${said ?? 'last'}”`, 'the name after as: of a step before')
}

/** The number of a settlement that a step before has made. */
export function settlementOf (world: World, said: string): string {
  const { settlement } = askedAs(world, said).reply
  if (settlement !== null) return settlement
  throw new StepError(`“${said}” settled nothing`, 'the name of a bill that was settled')
}
