// The storm over a small city, from a seed alone: which processes die, in which order, at a random moment or
// at a place that the code names. A house is started with the order for its next death already in hand, so
// that each start serves a death. Knows processes, nothing of what they do.

import { setTimeout as delay } from 'node:timers/promises'
import { readIfThere } from '../runtime/files.ts'
import type { Asks } from './city.ts'
import { childrenOf, type ProcessName, type Stack, type StartOptions } from './stack.ts'
import { chance, closingPlaces, drawn, endedSoon, places } from './storm.ts'

/** `readers`: the gateway's process that holds them; `pcscd`: the service they are reached through. */
export type Victim = ProcessName | 'readers' | 'pcscd'
export const victims =
  ['ledger', 'gateway', 'postgres', 'readers', 'pcscd'] as const satisfies readonly Victim[]
type House = 'ledger' | 'gateway'

/** `place`: where it dies by its own hand; null: by SIGKILL, so long after its start or the death before. */
export type Death = {
  readonly victim: Victim, readonly place: string | null, readonly afterMs: number, readonly pauseMs: number
}

/** Three to five, the same for the same seed. */
export function deathsOf (seed: number): Death[] {
  const wanted = 3 + Math.floor(3 * chance(seed, 0, 'kills'))
  return Array.from({ length: wanted }, (_, at) => {
    const nth = at + 1
    const victim = drawn(victims, chance(seed, nth, 'who'))
    const isNamed = isHouse(victim) && chance(seed, nth, 'how') < 0.5
    return {
      victim, place: isNamed ? drawn(places[victim], chance(seed, nth, 'where')) : null,
      afterMs: 100 + 400 * chance(seed, nth, 'moment'), pauseMs: 200 * chance(seed, nth, 'pause')
    }
  })
}

/** Where the ledger dies while the day is closed: two places, in the order in which they are passed. */
function closingDeathsOf (seed: number): string[] {
  const one = Math.floor(chance(seed, 1, 'closing') * closingPlaces.length)
  const other = Math.floor(chance(seed, 2, 'closing') * (closingPlaces.length - 1))
  return [one, other < one ? other : other + 1].sort((a, b) => a - b).map(at => closingPlaces[at] ?? '')
}

const isHouse = (victim: Victim): victim is House => victim === 'ledger' || victim === 'gateway'

export type Storm = {
  /** By SIGKILL. */
  readonly kills: Readonly<Record<Victim, number>>
  /** Named places at which a house has died. */
  readonly places: readonly string[]
  /** Where the ledger dies while the day is closed; each is in `places` once it has. */
  readonly closing: readonly string[]
  /** What the city asks while it stands in the storm. */
  readonly asks: Asks
  /** From the moment at which the city lives; resolves when all have died and are back. */
  rage (say: (message: object) => void): Promise<void>
}

export function openStorm (stack: Stack, seed: number): Storm {
  const kills: Record<Victim, number> = { ledger: 0, gateway: 0, postgres: 0, readers: 0, pcscd: 0 }
  const passed: string[] = []
  const deaths = deathsOf(seed)
  const closing = closingDeathsOf(seed)
  const atClosing = [...closing]
  const waiting: Record<House, Death[]> = {
    ledger: deaths.filter(({ victim }) => victim === 'ledger'),
    gateway: deaths.filter(({ victim }) => victim === 'gateway')
  }
  let armed: string | null = null
  let lastTurn: Promise<unknown> = Promise.resolve()

  /** Nobody starts while PostgreSQL is away: a ledger would not come up. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = lastTurn.then(work)
    lastTurn = turn.catch(() => undefined)
    return turn
  }
  const nextPlace = (house: House): string | null => {
    const [death] = waiting[house]
    if (death !== undefined) return death.place
    return house === 'ledger' ? atClosing[0] ?? null : null
  }

  /** Both approvals pass the same places; only whoever the first has not killed is asked for the second. */
  const approving = atClosing.find(place => place.endsWith('-approved'))
  const orderFor = (place: string): string => place === approving ? `${place}:2` : place

  /** With the order for the next death. Whoever passes the place before it is up has died there as well. */
  async function startArmed<T> (house: House, start: (options: StartOptions) => Promise<T>): Promise<T> {
    for (;;) {
      const place = nextPlace(house)
      if (house === 'ledger') armed = place
      try {
        return await start(place === null ? {} : { killAt: orderFor(place) })
      } catch (error) {
        if (place === null || waiting[house].shift() === undefined) throw error
        passed.push(place)
      }
    }
  }

  async function dieInTurn (house: House): Promise<void> {
    for (let death = waiting[house][0]; death !== undefined; death = waiting[house][0]) {
      if (death.place === null) {
        await delay(death.afterMs)
        await stack.kill(house)
        kills[house]++
      } else {
        await endedSoon(stack, house, `at ${death.place}`)
        passed.push(death.place)
      }
      waiting[house].shift()
      await delay(death.pauseMs)
      await inTurn(() => startArmed(house, options => stack.start(house, options)))
    }
  }

  /** PostgreSQL and what stands between the gateway and its cards: one after the other. */
  async function killOthers (say: (message: object) => void): Promise<void> {
    for (const { victim, afterMs, pauseMs } of deaths) {
      if (isHouse(victim)) continue
      await delay(afterMs)
      if (victim === 'postgres') {
        await inTurn(async () => {
          await stack.kill(victim)
          await delay(pauseMs)
          await stack.start(victim)
        })
      } else if (victim === 'pcscd') say({ killPcscdMs: pauseMs })
      else await killReaders(stack)
      kills[victim]++
    }
  }

  return {
    kills,
    places: passed,
    closing,
    asks: {
      /** The city is told to the ledger on the eve; that process is killed, and another sees the morning. */
      ledger: async ({ clock }) => {
        if (!stack.isUp('ledger')) return await stack.ledger({ clock: String(clock) })
        await stack.kill('ledger')
        kills.ledger++
        return await startArmed('ledger', options => stack.ledger({ clock: String(clock), ...options }))
      },
      gateway: async ({ config, clock }) => await startArmed('gateway', options =>
        stack.gateway(config as object, { clock: String(clock), ...options })),
      arm: async ({ place }) => {
        if (armed === place && stack.isUp('ledger')) return
        throw new Error(`the ledger is to die at ${String(place)} and has the order for ${armed ?? 'none'}`)
      },
      revive: async () => {
        await endedSoon(stack, 'ledger', `at ${armed ?? 'none'}`)
        passed.push(...atClosing.splice(0, 1))
        await startArmed('ledger', options => stack.start('ledger', options))
      }
    },
    rage: async say => {
      await Promise.all([dieInTurn('ledger'), dieInTurn('gateway'), killOthers(say)])
    }
  }
}

const foundMs = 20_000

/** The gateway may just be starting. */
async function killReaders (stack: Stack): Promise<void> {
  for (const end = performance.now() + foundMs; performance.now() < end; await delay(50)) {
    const gateway = stack.pid('gateway')
    const children = gateway === null ? [] : childrenOf(gateway)
    const pid = children.find(one => readIfThere(`/proc/${one}/cmdline`)?.includes('reader-main'))
    if (pid === undefined) continue
    process.kill(pid, 'SIGKILL')
    return
  }
  throw new Error(`the gateway had no process of readers within ${foundMs} ms`)
}
