// The services of the city that are declared: one line each.
import { commonServiceReasons, type Words } from '../../../schemas/service.ts'
import { Refusal } from '../../refusal.ts'
import { annualPass } from './annual-pass.ts'
import { canteen } from './canteen.ts'
import { communityMeal } from './community-meal.ts'
import { parking } from './parking.ts'
import { utilityBill } from './utility-bill.ts'
import type { Service } from './service.ts'

export const services: Readonly<Record<string, Service>> = {
  annual_pass: annualPass,
  canteen,
  community_meal: communityMeal,
  parking,
  utility_bill: utilityBill
}

/** Throws Refusal not_found. */
export function serviceOf (name: string): Service {
  const service = Object.hasOwn(services, name) ? services[name] : undefined
  if (service !== undefined) return service
  throw new Refusal('not_found', `no service ${name}; there are ${Object.keys(services).join(', ')}`)
}

/** The words of a reason of this service. */
export const wordsOf = ({ reasons }: Service, reason: string): Words =>
  reasons[reason] ?? common[reason] ?? { en: reason, zh: reason }
const common: Readonly<Record<string, Words>> = commonServiceReasons
