// Gateways as processes over the virtual readers of a farm, and passengers who hold cards to their lanes.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Child, type Ended, nodeCommand, superviseChild } from '../../runtime/supervise.ts'
import type {
  CardRules, GatewayConfig, LaneConfig, LaneView, SpoolView, TapView
} from '../../schemas/gateway.ts'
import type { CardDescription } from '../../terminal-sim/card/description.ts'
import type { Farm } from '../../terminal-sim/reader/farm.ts'

/** Where gateways stand: a directory for their spools, readers, and what they take for the ledger. */
export type Place = { readonly dir: string, readonly farm: Farm, readonly ledgerUrl: string }

export type LaneWish = { name: string, psam: string } & Partial<LaneConfig>

export type GatewayWish = {
  killAt?: string
  rules?: CardRules
  onLine?: (line: string) => void
  /** ISO instant of its start. */
  clock?: string
  /** A clock that stands still until it is set, in place of one that runs on. */
  settable?: boolean
  /** Changes to the configuration. */
  config?: Partial<GatewayConfig>
  /** Changes to each lane. */
  lane?: Partial<LaneConfig>
}

export type Running = {
  readonly child: Child<{ url: string }>
  readonly url: string
  readonly spoolDir: string
  /** Resolves when the process has ended by itself. */
  readonly ended: Promise<Ended>
  /** The next tap that this lane tells of. */
  tap (lane: string): Promise<TapView>
  lane (lane: string): Promise<LaneView>
  get<T> (path: string): Promise<T>
  post<T> (path: string, body: unknown): Promise<{ status: number, body: T }>
  /** Of a gateway with a settable clock. */
  clock (at: string): Promise<void>
  /** Resolves when every record is delivered. */
  drained (): Promise<void>
  stop (): Promise<void>
}

const morning = '2026-03-02T08:00:00+08:00'

export async function startGateway (
  place: Place, name: string, lanes: readonly LaneWish[], wish: GatewayWish = {}
): Promise<Running> {
  const { killAt, rules, onLine, clock = morning, settable = false } = wish
  const spoolDir = join(place.dir, name)
  const config: GatewayConfig = {
    gateway: name,
    ledger: { url: place.ledgerUrl, token: 'GW1.secret' },
    spoolDir,
    pcsc: { socket: place.farm.socket },
    lanes: lanes.map(({ name: lane, psam, ...rest }) => ({
      lane, readers: { card: `${lane} 00 00`, psam: `${lane} 00 01` }, operator: 'BUS', terminal: lane, psam,
      mode: 'fare', transmitDeadlineMs: 1_500, ...rest, ...wish.lane
    })),
    cards: { duplicateTapSeconds: 0, ...rules },
    uplink: { lingerMs: 0, retryMs: 20, retryMaxMs: 100 },
    ...wish.config
  }
  const path = join(place.dir, `${name}.json`)
  writeFileSync(path, JSON.stringify(config))
  const env = {
    ...process.env,
    GATEWAY_CONFIG: path,
    GATEWAY_CLOCK: clock,
    LOG_LEVEL: onLine === undefined ? 'fatal' : 'info',
    ...(killAt === undefined ? {} : { CITIZEN_CARD_KILL_AT: killAt })
  }
  let lost: (how: Ended) => void = () => undefined
  const ended = new Promise<Ended>(resolve => { lost = resolve })
  const child = await superviseChild<{ url: string }>({
    onLost: lost, name, ...nodeCommand(settable ? 'gateway/host.ts' : 'gateway/main.ts'), env,
    ...(onLine === undefined ? {} : { onLine })
  })
  const hostUrl = child.ready.url
  const stack = settable
    ? await send<{ id: string, url: string }>(`${hostUrl}/stacks`, 'POST', { config, clock })
    : { body: { id: '', url: hostUrl } }
  const { id, url } = stack.body
  const get = async <T>(path: string) => await (await fetch(url + path)).json() as T
  const taps = tapStream(url)
  const untilMs = performance.now() + openingMs
  for (let views = await get<LaneView[]>('/v1/lanes'); views.some(isOpening);) {
    if (performance.now() > untilMs) throw new Error(`${name}: lanes stay closed: ${JSON.stringify(views)}`)
    await delay(20)
    views = await get<LaneView[]>('/v1/lanes')
  }
  return {
    child,
    url,
    spoolDir,
    ended,
    tap: taps.next,
    lane: async lane => (await get<LaneView[]>('/v1/lanes')).find(one => one.lane === lane) as LaneView,
    get,
    post: (path, body) => send(url + path, 'POST', body),
    clock: async at => { await send(`${hostUrl}/stacks/${id}/clock`, 'PUT', { at }) },
    drained: async () => { while ((await get<SpoolView>('/v1/spool')).depth > 0) await delay(5) },
    stop: async () => {
      taps.stop()
      await child.stop()
    }
  }
}

/** A busy machine takes longer over it than a gateway waits before it says that it is there. */
const isOpening = ({ cardReader, psam }: LaneView): boolean =>
  cardReader === 'away' || psam.state === 'away' || psam.state === 'starting'

const openingMs = 60_000

async function send<T> (url: string, method: string, body: unknown): Promise<{ status: number, body: T }> {
  const headers = { 'content-type': 'application/json' }
  const reply = await fetch(url, { method, headers, body: JSON.stringify(body) })
  return { status: reply.status, body: await reply.json() as T }
}

type Waiter = { resolve (tap: TapView): void, reject (error: Error): void }

/** One long poll for all lanes; each lane takes its own in order. */
function tapStream (url: string) {
  const waiting = new Map<string, Waiter[]>()
  let over: Error | null = null
  const ready = new Map<string, TapView[]>()
  const stopping = new AbortController()
  const poll = async () => {
    for (let last = 0; !stopping.signal.aborted;) {
      const reply = await fetch(`${url}/v1/taps?after=${last}&wait=5000`, { signal: stopping.signal })
      for (const tap of await reply.json() as TapView[]) {
        last = tap.seq
        const next = waiting.get(tap.lane)?.shift()
        if (next === undefined) ready.set(tap.lane, [...ready.get(tap.lane) ?? [], tap])
        else next.resolve(tap)
      }
    }
  }
  poll().catch(error => { // the gateway was stopped, killed, or died: who waits is told
    over = new Error('no tap will be told of: the gateway has gone', { cause: error })
    for (const { reject } of [...waiting.values()].flat()) reject(over)
  })
  return {
    next: (lane: string): Promise<TapView> => {
      const tap = ready.get(lane)?.shift()
      if (tap !== undefined) return Promise.resolve(tap)
      const next = new Promise<TapView>((resolve, reject) => {
        if (over !== null) return reject(over)
        waiting.set(lane, [...waiting.get(lane) ?? [], { resolve, reject }])
      })
      next.catch(() => undefined) // who kills a gateway on purpose does not look
      return next
    },
    stop: () => stopping.abort()
  }
}

/** A card in a passenger's hand. Removal is waited for, while there is a gateway: pcscd looks every 0.4 s. */
export function passenger (place: Place, gateway: Running, lane: string, card: string) {
  const reader = `${lane} 00 00`
  const isGone = async () => (await gateway.lane(lane)).cardReader === 'empty'
  const end = { came: false }
  void gateway.ended.then(() => { end.came = true })
  const gone = async () => {
    while (!end.came && !await isGone().catch(() => false)) await delay(20)
  }
  return {
    tap: async () => {
      const told = gateway.tap(lane)
      await place.farm.insert({ chip: card, reader })
      const tap = await told
      if ((await place.farm.occupants({}))[reader] === card) await place.farm.remove({ reader })
      await gone()
      return tap
    },
    gone
  }
}

export async function putPsam (
  place: Place, lane: string, profile: CardDescription['profile'], terminal: string
): Promise<void> {
  await place.farm.createPsam({ chip: `psam-${lane}`, psam: { profile, terminal } })
  await place.farm.insert({ chip: `psam-${lane}`, reader: `${lane} 00 01` })
}
