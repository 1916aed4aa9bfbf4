// Runs one scenario on a fresh stack: what is given, then act by act what happens and what must be true.
// Drives it only from outside.
import type { Instant } from '../../runtime/clock.ts'
import { addDays, startOfDate } from '../../runtime/instants.ts'
import { createRandom } from '../random.ts'
import { Refused } from './api.ts'
import type { Act, Refusal, Scenario, Step } from './document.ts'
import { placeToDie } from './dying.ts'
import { checkInvariants } from './invariants.ts'
import { openEdge } from './edge.ts'
import type { FarmKeeper } from './readers.ts'
import { createRun, type Run } from './run-state.ts'
import type { Access, Stack } from './stack.ts'
import { showMoment } from './values.ts'
import { StepError, type Deed, type Miss } from './verb.ts'
import { given, then, when } from './verbs.ts'
import type { Modifiers, World } from './world.ts'

export type Result = {
  readonly file: string
  readonly title: string
  readonly ok: boolean
  readonly misses: readonly (Miss & { readonly place: string })[]
  /** What could not be done at all, with its place. */
  readonly broken: readonly string[]
  /** Why it was not run, where the machine cannot. */
  readonly leftOut: string | null
  /** Checks of first answers, which have no meaning in another order. */
  readonly skipped: number
  readonly crash: { readonly at: string, readonly passed: boolean } | null
  /** null: left out. */
  readonly freshMs: number | null
  readonly wholeMs: number
}

/** What is told of a scenario that cannot be run here, or not under these modifiers. */
export const leftOut = ({ file, title }: Scenario, why: string): Result => ({
  file,
  title,
  ok: true,
  misses: [],
  broken: [],
  leftOut: why,
  skipped: 0,
  crash: null,
  freshMs: null,
  wholeMs: 0
})

/** Cards join long before the first event, so that old records have somebody to belong to. */
const openedDaysBefore = 120

export async function runScenario (
  scenario: Scenario,
  stack: Stack,
  access: Access,
  modifiers: Modifiers,
  farm: FarmKeeper
): Promise<Result> {
  const startedAt = performance.now()
  const crashAt = modifiers.crash === undefined ? null : placeToDie(scenario, modifiers.crash)
  if (modifiers.crash !== undefined && crashAt === null) {
    return leftOut(scenario, 'no step of it passes a place to die at')
  }
  const opened = startOfDate(addDays(scenario.day, -openedDaysBefore))
  const fresh = await stack.fresh({ at: opened, ...(crashAt === null ? {} : { crashAt }) })
  const run = createRun(scenario, stack, access, modifiers, fresh.ledgerUrl, opened, crashAt !== null)
  await run.attempt(`${scenario.file} given`, () => prepare(run.world, scenario, farm))
  for (const act of scenario.acts) {
    if (run.broken.length > 0) break
    await runAct(run, act)
  }
  if (run.broken.length === 0) {
    const provable = !scenario.acts.some(act => act.then.some(one => one.verb === 'verify'))
    await run.attempt(`${scenario.file} always`, async () =>
      run.note('always', await checkInvariants(run.world, provable))
    )
  }
  await run.world.edge?.close()
  if (crashAt !== null && run.broken.length === 0 && run.revivals() === 0) {
    run.broken.push(`${scenario.file}: the ledger never passed ${crashAt}, so nothing was tried`)
  }
  return {
    file: scenario.file,
    title: scenario.title,
    ok: run.misses.length === 0 && run.broken.length === 0,
    misses: run.misses,
    broken: run.broken,
    leftOut: null,
    skipped: run.skipped(),
    crash: crashAt === null ? null : { at: crashAt, passed: run.revivals() > 0 },
    freshMs: fresh.tookMs,
    wholeMs: performance.now() - startedAt
  }
}

async function prepare (world: World, scenario: Scenario, farm: FarmKeeper): Promise<void> {
  for (const { verb, argument } of scenario.given) given[verb].prepare(world, argument as never)
  world.registry.clearingDate ??= scenario.day
  await world.api.call({ method: 'PUT', path: '/v1/registry', as: 'registrar', json: world.registry })
  for (const { at, act } of [...world.before].sort((a, b) => a.at - b.at)) {
    await setClock(world, at)
    await act()
  }
  world.opening = await world.api.accounts()
  await setClock(world, Math.max(world.now, startOfDate(scenario.day)))
  await openEdge(world, farm)
}

async function setClock (world: World, at: Instant): Promise<void> {
  if (at === world.now) return
  world.now = at
  await world.stack.clock(at)
}

type Planned = { readonly step: Step, readonly deed: Deed, readonly at: Instant }

async function runAct (run: Run, act: Act): Promise<void> {
  const { world } = run
  let group: Planned[] = []
  let planned = world.now
  for (const step of act.when) {
    await run.attempt(step.place, async () => {
      planned = later(world, planned, step.at)
      const deeds = planAt(world, planned, step)
      const delivery = step.refused === null && deeds.every(deed => deed.delivery !== undefined)
      if (!delivery) await flush(run, group.splice(0))
      group.push(...deeds.map(deed => ({ step, deed, at: planned })))
      if (!delivery) await doStep(run, group.splice(0))
    })
    if (run.broken.length > 0) return
  }
  await flush(run, group)
  group = []
  if (run.broken.length > 0) return
  if (world.edge !== null) await run.attempt('then', async () => await world.edge?.taken())
  // What the watch finds behind the traffic changes verdicts too: its doors answer once it has caught up.
  if (act.then.length > 0) await run.attempt('then', async () => { await world.api.all('/v1/watch/holds') })
  for (const { place, verb, argument } of act.then) {
    const one = then[verb]
    if (one.anyOrder === false && world.modifiers.shuffle !== undefined) run.skip()
    else await run.attempt(place, async () => run.note(place, await one.check(world, argument as never)))
  }
}

function later (world: World, now: Instant, at: Instant | null): Instant {
  if (at === null) return now
  if (at >= now) return at
  throw new StepError('the clock would go back', `${showMoment(now, world.reading)} or later`)
}

/** Plans read the clock of the step although the stack's own still stands earlier. */
function planAt (world: World, at: Instant, step: Step): readonly Deed[] {
  const now = world.now
  world.now = at
  const deeds = when[step.verb].plan(world, step.argument as never)
  world.now = now
  return deeds
}

/** A step that nothing overtakes. */
async function doStep (run: Run, planned: readonly Planned[]): Promise<void> {
  for (const { step, deed, at } of planned) {
    await setClock(run.world, at)
    try {
      await deed.act()
    } catch (error) {
      if (!(error instanceof Refused) || step.refused === null) throw error
      run.note(
        step.place,
        error.reason === step.refused.reason && error.message.includes(step.refused.says ?? '')
          ? []
          : [{ what: 'refused', expected: refusalText(step.refused), found: error.message }]
      )
      return
    }
    if (step.refused !== null) {
      run.note(step.place, [{ what: 'refused', expected: refusalText(step.refused), found: 'taken' }])
    }
  }
}

const refusalText = ({ reason, says }: Refusal): string => says === null ? reason : `${reason}: …${says}…`

/**
 * Deliveries between two barriers: as they stand, or in any order at the instant of the last one, or twice.
 */
async function flush (run: Run, group: readonly Planned[]): Promise<void> {
  const { world, scenario } = run
  const { shuffle, duplicate } = world.modifiers
  if (group.length === 0) return
  const last = Math.max(...group.map(one => one.at))
  const ordered =
    shuffle === undefined ? group : createRandom(`${shuffle} ${scenario.title} ${last}`).shuffle(group)
  for (const { step, deed, at } of ordered) {
    await run.attempt(step.place, async () => {
      await setClock(world, shuffle === undefined ? at : last)
      await (duplicate === true && deed.delivery !== undefined ? deed.delivery.twice() : deed.act())
    })
  }
}
