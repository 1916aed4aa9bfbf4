// The gateway of a scenario, over the lanes and ports that it says, and its line to the ledger. It refuses to
// know cards and what is spoken at a port.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { GatewayView } from '../../schemas/estate.ts'
import type { GatewayConfig, SpoolView } from '../../schemas/gateway.ts'
import type { PortState } from '../../schemas/port.ts'
import type { EstateReply } from '../../schemas/terminals.ts'
import { type Link, openLink } from './link.ts'
import { layLanes, type FarmKeeper } from './readers.ts'
import { portsOf } from './self-checks.ts'
import { tillPortsOf } from './tills.ts'
import { StepError } from './verb.ts'
import type { World } from './world.ts'

export type Edge = {
  /** Throws where the gateway says no. */
  ask<T> (path: string): Promise<T>
  post (path: string, json: unknown): Promise<unknown>
  /** Of a port that listens. */
  tcpPort (name: string): Promise<number>
  readonly link: Pick<Link, 'cut' | 'mend' | 'loseAnswer'>
  /** Until it holds the lists of the ledger as they are now; of a ledger that it cannot reach, none. */
  follow (): Promise<void>
  /**
   * Until the ledger has heard everything; not while it cannot be reached. Throws where an answer that was to
   * be lost was never given.
   */
  taken (): Promise<void>
  /** Keeps a ledger alive that dies on the way, until this is done. */
  whileAlive<T> (deed: Promise<T>): Promise<T>
  /** Somebody else has started the gateway again. */
  movedTo (url: string): void
  close (): Promise<void>
}

/** Starts a gateway where the scenario needs one, and waits until it is ready. */
export async function openEdge (world: World, keeper: FarmKeeper): Promise<void> {
  const ports = [...portsOf(world), ...tillPortsOf(world)]
  const bench = Object.keys(world.lanes).length === 0 ? null : await layLanes(world, keeper, world.lanes)
  if (bench === null && ports.length === 0) return
  const spoolDir = mkdtempSync(join(tmpdir(), 'cc-spool-'))
  const link = await openLink(world.ledgerUrl)
  const config: GatewayConfig = {
    gateway: 'GW1',
    ledger: { url: link.url, token: world.access.tokens.gateway },
    spoolDir,
    ...(bench === null ? {} : { pcsc: { socket: bench.socket } }),
    lanes: bench?.configs ?? [],
    ports,
    uplink: { lingerMs: 0, retryMs: 50, retryMaxMs: 200 },
    parametersEverySeconds: 0.2,
    reportEverySeconds: 1
  }
  let url = ''

  async function follow (): Promise<void> {
    if (link.isCut()) return
    for (let wait = 0; wait < waitsMax; wait++) {
      // Asked first: where the ledger died it is up again after this.
      const { to } = await world.api.get<EstateReply>('/v1/terminals/estate', 'gateway')
      const gateways = await world.api.all<GatewayView>('/v1/terminals/gateways')
      const holds = gateways.some(one => one.gateway === 'GW1' && one.estate === to)
      if (holds && (await fetch(new URL('/v1/parameters/refresh', url), { method: 'POST' })).ok) return
      await delay(pollMs)
    }
    throw new Error('the gateway does not fetch the lists of the ledger')
  }

  async function whileAlive<T> (deed: Promise<T>): Promise<T> {
    const under = { way: true }
    const done = deed.finally(() => { under.way = false })
    void done.catch(() => undefined) // told to who waits for it
    while (under.way) {
      await world.api.get('/v1/terminals/estate', 'gateway').catch(() => undefined) // gone on purpose
      await delay(5 * pollMs)
    }
    return await done
  }

  /** Records, codes that were taken, and what chips have made of loads and blocks. */
  async function untold (): Promise<number> {
    const { depth } = await edge.ask<SpoolView>('/v1/spool')
    const page = await (await told(await fetch(new URL('/metrics', url)), '/metrics')).text()
    const counts = [...page.matchAll(/^gateway_(?:loads|blocks|codes)_untold (\d+)$/gm)]
    return counts.reduce((sum, [, count]) => sum + Number(count), depth)
  }

  function nothingUnlost (): void {
    const request = link.unlost()
    if (request !== null) throw new Error(`the ledger never answered ${request}, so nothing was lost`)
  }

  const edge: Edge = {
    ask: async <T>(path: string) => await (await told(await fetch(new URL(path, url)), path)).json() as T,
    post: async (path, json) => {
      const headers = { 'content-type': 'application/json' }
      const request = { method: 'POST', headers, body: JSON.stringify(json) }
      return await (await told(await fetch(new URL(path, url), request), path)).json()
    },
    tcpPort: async name => {
      const states = await edge.ask<PortState[]>('/v1/ports')
      const port = Number(states.find(one => one.port === name)?.address.split(':').at(-1))
      if (port > 0) return port
      throw new StepError(`the gateway has no port ${name}`, states.map(one => one.port).join(', '))
    },
    link,
    follow,
    whileAlive,
    taken: async () => {
      for (let wait = 0; wait < waitsMax && !link.isCut(); wait++) {
        await follow()
        if (await untold() === 0) return nothingUnlost()
        await delay(pollMs)
      }
      if (!link.isCut()) throw new Error('the gateway still has something that the ledger has not heard')
    },
    movedTo: to => { url = to },
    close: async () => {
      await bench?.clear()
      await world.stack.drop() // it writes to its spool until it ends
      link.close()
      rmSync(spoolDir, { recursive: true, force: true })
    }
  }
  try {
    url = (await world.stack.gateway({ config, env: {} })).url
    await ready(() => url)
  } catch (error) {
    await edge.close() // the next scenario finds empty readers, and a run that is through can end
    throw error
  }
  world.edge = edge
  world.readers = bench?.readers(edge) ?? null
}

export const pollMs = 20
/** Ten seconds, and more on a busy machine. */
export const waitsMax = 500

async function told (response: Response, path: string): Promise<Response> {
  if (response.ok) return response
  throw new Error(`the gateway answers ${response.status} to ${path}: ${await response.text()}`)
}

async function ready (url: () => string): Promise<void> {
  let words = ''
  for (let wait = 0; wait < waitsMax; wait++) {
    const response = await fetch(new URL('/readyz', url()))
    words = await response.text()
    if (response.ok) return
    await delay(pollMs)
  }
  throw new Error(`the gateway does not become ready: ${words}`)
}
