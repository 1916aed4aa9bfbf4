// Cards on real readers: chips in the farm, one gateway over all lanes, every tap of the plan carried out in
// its order per lane and per card. It refuses to know what the ledger makes of it.
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpClient, createHttpClient } from '../../runtime/http-client.ts'
import { maskCards } from '../../runtime/log.ts'
import type { GatewayConfig, LaneView, ParametersView, SpoolView, TapView } from '../../schemas/gateway.ts'
import { cardKey } from '../../schemas/record.ts'
import type { CardReport } from '../card/description.ts'
import { type Farm, startFarm } from '../reader/farm.ts'
import type { CityPlan, LanePlan } from './plan.ts'
import type { Resident, Tap } from './taps.ts'

export type TapSeen = { readonly tap: Tap, readonly view: TapView }

const limits = { tapMs: 30_000, emptyMs: 10_000, drainMs: 60_000, pollMs: 30 } as const

/** A farm with a pair of slots per lane, PSAMs in their readers, cards made. */
export async function openFarm (dir: string, { lanes, residents, options }: CityPlan): Promise<Farm> {
  const farm = await startFarm({ dir, pairs: lanes.map(({ lane }) => ({ name: lane })), seed: options.seed })
  for (const lane of lanes) {
    await farm.createPsam({ chip: psamChip(lane), psam: lane.psam })
    await farm.insert({ chip: psamChip(lane), reader: readersOf(lane).psam })
  }
  for (const { chip, description } of residents) await farm.createCard({ chip, card: description })
  return farm
}

const psamChip = ({ lane }: LanePlan): string => `psam ${lane}`
const readersOf = ({ lane }: LanePlan) => ({ card: `${lane} 00 00`, psam: `${lane} 00 01` })

export const gatewayConfig = (plan: CityPlan, given: {
  readonly socket: string, readonly spoolDir: string, readonly ledgerUrl: string, readonly token: string
}): GatewayConfig => ({
  gateway: 'GW1',
  ledger: { url: given.ledgerUrl, token: given.token },
  spoolDir: given.spoolDir,
  pcsc: { socket: given.socket },
  lanes: plan.lanes.map(laneConfig),
  uplink: { lingerMs: 5, retryMs: 100, retryMaxMs: 1_000 },
  parametersEverySeconds: 1
})

const laneConfig = (lane: LanePlan): GatewayConfig['lanes'][number] => ({
  lane: lane.lane,
  readers: readersOf(lane),
  operator: lane.operator,
  terminal: lane.terminal,
  psam: lane.psam.terminal,
  mode: lane.mode,
  ...(lane.line === undefined ? {} : { line: lane.line }),
  ...(lane.vehicle === undefined ? {} : { vehicle: lane.vehicle }),
  // Only the silent card waits for it; a busy machine must not look like one.
  transmitDeadlineMs: 3_000
})

export type Lanes = {
  /** Each tap with what its lane said; `onTap` after each. Throws when a lane stays silent. */
  carryOut (taps: readonly Tap[], onTap: () => void): Promise<TapSeen[]>
  /** Payments that no card has come back to settle. */
  openPayments (): Promise<number>
  drained (): Promise<void>
  inspect (resident: Resident): Promise<CardReport>
  close (): void
}

export async function openLanes (farm: Farm, plan: CityPlan, url: string): Promise<Lanes> {
  const http = createHttpClient({ baseUrl: url, random: () => 0.5, tryTimeoutMs: 30_000 })
  const keyOf = new Map(plan.residents.map(({ chip, registered }) => [chip, cardKey(registered.card)]))
  const feed = tapFeed(http)
  await ready(http)

  async function carryOutOne (tap: Tap): Promise<TapSeen> {
    const reader = `${tap.lane} 00 00`
    if (tap.returns) await drained(http)
    if (tap.charge !== null) await http.post(`/v1/lanes/${tap.lane}/charges`, tap.charge)
    if (tap.fault !== null) await farm.arm({ chip: tap.chip, fault: tap.fault })
    const told = feed.next(tap.lane, keyOf.get(tap.chip) ?? '')
    await farm.insert({ chip: tap.chip, reader })
    const view = await told
    if ((await farm.occupants({}))[reader] === tap.chip) await farm.remove({ reader })
    await laneEmpty(http, tap.lane)
    return { tap, view }
  }

  return {
    carryOut: async (taps, onTap) => {
      const lastOf = new Map<string, Promise<unknown>>()
      const all = taps.map(tap => {
        const before = Promise.all([lastOf.get(tap.lane), lastOf.get(tap.chip)])
        const seen = before.then(() => carryOutOne(tap))
        lastOf.set(tap.lane, seen)
        lastOf.set(tap.chip, seen)
        return seen.then(one => {
          onTap()
          return one
        })
      })
      return await Promise.all(all)
    },
    openPayments: async () => (await http.get('/v1/spool') as SpoolView).openIntents,
    drained: () => drained(http),
    inspect: ({ chip }) => farm.inspectCard({ chip }),
    close: () => {
      feed.stop()
      http.close()
    }
  }
}

/* ---- what the gateway says ---- */

type Waiter = { readonly lane: string, readonly card: string, tell (view: TapView): void }

/** One reader of the gateway's taps for all lanes; what nobody waits for was settled at another lane. */
function tapFeed (http: HttpClient) {
  const waiters = new Set<Waiter>()
  const stop = new AbortController()

  const isFor = ({ lane, card }: Waiter, view: TapView): boolean =>
    view.lane === lane && (view.cardKey === null || view.cardKey === maskCards(card))

  async function run (): Promise<void> {
    for (let after = 0; !stop.signal.aborted;) {
      const path = `/v1/taps?after=${after}&limit=1000&wait=1000`
      const views = await http.get(path, { signal: stop.signal }) as TapView[]
      for (const view of views) {
        after = view.seq
        const waiter = [...waiters].find(one => isFor(one, view))
        waiter?.tell(view)
      }
    }
  }
  const failed = new Promise<never>((_resolve, reject) => {
    run().catch((error: Error) => { if (!stop.signal.aborted) reject(error) })
  })
  failed.catch(() => undefined) // told to whoever waits

  return {
    next: (lane: string, card: string): Promise<TapView> => {
      const told = new Promise<TapView>((resolve, reject) => {
        const late = setTimeout(() => {
          waiters.delete(waiter)
          reject(new Error(`${lane}: the gateway said nothing of a tap within ${limits.tapMs} ms`))
        }, limits.tapMs)
        const waiter: Waiter = {
          lane,
          card,
          tell: view => {
            clearTimeout(late)
            waiters.delete(waiter)
            resolve(view)
          }
        }
        waiters.add(waiter)
      })
      return Promise.race([told, failed])
    },
    stop: () => stop.abort()
  }
}

const ready = (http: HttpClient) => until('ready', limits.drainMs, async () => {
  const lanes = await http.get('/v1/lanes') as LaneView[]
  const { blacklist, tariff } = await http.get('/v1/parameters') as ParametersView
  return blacklist !== null && tariff !== null &&
    lanes.every(({ psam, cardReader }) => psam.state === 'ready' && cardReader === 'empty')
})

const laneEmpty = (http: HttpClient, lane: string) => until(`empty on ${lane}`, limits.emptyMs, async () => {
  const lanes = await http.get('/v1/lanes') as LaneView[]
  const seen = lanes.find(one => one.lane === lane)
  return seen?.cardReader === 'empty' && seen.state === 'idle'
})

/** Every record is answered by the ledger. */
const drained = (http: HttpClient) => until('without undelivered records', limits.drainMs, async () =>
  (await http.get('/v1/spool') as SpoolView).depth === 0)

async function until (what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + timeoutMs; !await holds(); await delay(limits.pollMs)) {
    if (performance.now() > end) throw new Error(`the gateway is not ${what} within ${timeoutMs} ms`)
  }
}
