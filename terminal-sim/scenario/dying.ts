// Where the ledger is made to die in a scenario: a named place that one of its steps certainly passes. Knows
// which step passes which places, nothing of what they mean.
import { createRandom } from '../random.ts'
import type { Scenario, Step } from './document.ts'
import type { WhenName } from './verbs.ts'

const taking = ['after-raw', 'after-verify', 'before-commit', 'after-commit-before-reply'] as const
const closing = [
  'before-day-cut', 'after-day-cut', 'before-day-verified', 'after-day-verified', 'before-day-cleared',
  'after-day-cleared'
] as const
const approving = ['before-day-approved', 'after-day-approved'] as const
const instructing = ['before-day-instructed', 'after-day-instructed'] as const
const granting = ['before-load-commit', 'after-load-commit'] as const
const keyed = ['before-keyed-commit', 'after-keyed-commit'] as const

const passedBy: Partial<Record<WhenName, readonly string[]>> = {
  deliver: taking, upload: taking, load: granting, loads: granting, close_day: closing,
  approve_day: approving, instruct_day: instructing,
  propose: keyed, decide: keyed, refund: keyed, dispute: keyed, answer_dispute: keyed, decide_dispute: keyed,
  escalate_dispute: keyed, issue_to: keyed, move_card: keyed, replace_card: keyed, return_card: keyed,
  pay_return: keyed, find_card: keyed,
  redate: keyed, expire_grey: keyed, release_held: keyed, release_hold: keyed
}

/** Later passes of a place say little that the first ones do not. */
const passesMax = 3

/** Such as after-raw:2, by the seed; null where no step of the scenario passes any place. */
export function placeToDie (scenario: Scenario, seed: number): string | null {
  const random = createRandom(`crash ${seed} ${scenario.title}`)
  const steps = scenario.acts.flatMap(({ when }) => when).filter(isNews)
  const passes = new Map<string, number>()
  for (const place of uniqueDeeds(steps).flatMap(({ verb }) => passedBy[verb] ?? [])) {
    passes.set(place, Math.min(passesMax, (passes.get(place) ?? 0) + 1))
  }
  if (passes.size === 0) return null
  const place = random.pick([...passes.keys()])
  return `${place}:${random.int(1, passes.get(place) ?? 1)}`
}

/** What is refused, and what is told again, may pass nothing. */
function isNews ({ refused, argument }: Step): boolean {
  const told = (argument ?? {}) as { readonly again?: unknown, readonly delivery?: unknown }
  return refused === null && told.again === undefined && told.delivery === undefined
}

/** A day is closed once, however often it is said. */
function uniqueDeeds (steps: readonly Step[]): Step[] {
  const done = new Set<string>()
  return steps.filter(({ verb, argument }) => {
    if (verb !== 'close_day' && verb !== 'instruct_day') return true
    const deed = `${verb} ${JSON.stringify(argument)}`
    return done.size < done.add(deed).size
  })
}
