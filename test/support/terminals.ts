// A ledger on a real PostgreSQL behind its door, a gateway as a process, and cables between it and devices:
// for tests of what speaks over serial lines and sockets.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { bootstrap } from '../../ledger/people/bootstrap.ts'
import { type Child, type Ended, nodeCommand, superviseChild } from '../../runtime/supervise.ts'
import type { GatewayConfig, SpoolView } from '../../schemas/gateway.ts'
import type { PortConfig, PortState } from '../../schemas/port.ts'
import { cardKey, type CardRef, type TransactionRecord } from '../../schemas/record.ts'
import { type Line, openDevice } from '../../terminal-sim/line/line.ts'
import { type PtyPair, openPtyPair } from '../../terminal-sim/line/pty-pair.ts'
import type { StoredRecord } from '../../terminal-sim/polled/terminal.ts'
import type { PosFields } from '../../terminal-sim/pos/pos.ts'
import { secretOf, type Door, type Doors } from './ledger-http.ts'
import { card, smallCity } from './small-city.ts'

export type City = {
  readonly dir: string
  readonly door: Door
  cable (name: string): Promise<PtyPair & { device: () => Line }>
  gateway (ports: readonly PortConfig[], wish?: GatewayWish): Promise<RunningGateway>
  /** What the online account of a card holds. */
  online (card: CardRef): Promise<number>
  /** Records of a card as the ledger booked them: `counter amount verdict`. */
  booked (card: CardRef): Promise<string[]>
}

export type GatewayWish = {
  killAt?: string
  ledgerUrl?: string
  config?: Partial<GatewayConfig>
  env?: Readonly<Record<string, string>>
}

export type RunningGateway = {
  readonly child: Child<{ url: string }>
  get<T> (path: string): Promise<T>
  port (name: string): Promise<PortState>
  /** Resolves when every record is delivered. */
  drained (): Promise<void>
  stop (): Promise<void>
  /** Resolves when the process died by itself. */
  readonly lost: Promise<Ended>
}

/**
 * Cards 0 to `cards` − 1 hold 100.00 on the chip; each has 50.00 online where `topUps` says so. `service`: of
 * its operators.
 */
export async function openCity (
  t: Test, doors: Doors, { cards = 6, topUps = [] as readonly number[], service = '' } = {}
): Promise<City> {
  const dir = mkdtempSync(join(tmpdir(), 'city-'))
  const door = await doors.open()
  const city = smallCity(Array.from({ length: cards }, (_, number) => card(number, { type: 'named' })), {
    policies: { topUpStepFen: 1_000 }
  })
  const parties = city.parties?.map(party =>
    service === '' || party.kind !== 'operator' ? party : { ...party, service })
  await door.ok('registrar', 'PUT', '/v1/registry', { ...city, parties })
  await bootstrap(door.db, {
    clients: [{ id: 'SHOP', kind: 'agent', party: 'SHP', secret: secretOf('SHOP') }]
  }, door.clock.now())
  for (const number of topUps) {
    const request = {
      kind: 'top_up', key: `opening-${number}`, card: card(number).card, amountFen: 5_000, party: 'SHP'
    }
    const { json } = await door.ask(null, 'POST', '/v1/requests', {
      json: request, token: `SHOP.${secretOf('SHOP')}`
    })
    if (json.outcome !== 'approved') throw new Error(`top-up: ${JSON.stringify(json)}`)
  }
  const cables: PtyPair[] = []
  const running: RunningGateway[] = []
  t.teardown(async () => {
    await Promise.all(running.map(gateway => gateway.stop()))
    await Promise.all(cables.map(pair => pair.unplug()))
    await door.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return {
    dir,
    door,
    cable: async name => {
      const pair = await openPtyPair(dir, name)
      cables.push(pair)
      return { ...pair, device: () => openDevice(pair.far) }
    },
    gateway: async (ports, wish = {}) => {
      const gateway = await startGateway(dir, door.url, ports, wish)
      running.push(gateway)
      return gateway
    },
    online: async of => {
      const asked = { kind: 'balance', key: `look-${performance.now()}`, card: of }
      return (await door.ok('gateway', 'POST', '/v1/requests', asked) as { balanceFen: number }).balanceFen
    },
    booked: async of => {
      const { items } = await door.ok('auditor', 'GET', `/v1/records?card=${cardKey(of)}`) as
        { items: { counter: number, amountFen: number, reason: string }[] }
      return items.map(one => `${one.counter} ${one.amountFen} ${one.reason}`).sort()
    }
  }
}

/** A record as a POS uploads it. */
export const upload = (key: string, record: TransactionRecord): PosFields => ({
  key,
  card: cardKey(record.card),
  ...Object.fromEntries([
    'purse', 'type', 'counter', 'balanceBeforeFen', 'amountFen', 'psam', 'sequence', 'dateTime', 'keyVersion',
    'algorithm', 'recordNo'
  ].map(name => [name, String(record[name as keyof TransactionRecord])])),
  ...(record.tac === null ? {} : { tac: record.tac })
})

/** A record as it lies in the store of a polled terminal. */
export const storedAtTerminal = (record: TransactionRecord): StoredRecord => ({
  ...record.card, recordNo: record.recordNo, purse: 2, type: Number.parseInt(record.type, 16),
  counter: record.counter, balanceBeforeFen: record.balanceBeforeFen, amountFen: record.amountFen,
  psam: record.psam, sequence: record.sequence, dateTime: record.dateTime, tac: record.tac ?? '00000000',
  flags: record.grey ? 1 : 0, keyVersion: record.keyVersion, algorithm: record.algorithm, tariffVersion: 0,
  blacklistVersion: 0
})

async function startGateway (
  dir: string, url: string, ports: readonly PortConfig[],
  { killAt, ledgerUrl, config, env: more }: GatewayWish
): Promise<RunningGateway> {
  const path = join(dir, 'gateway.json')
  const whole: GatewayConfig = {
    gateway: 'GW1',
    ledger: { url: ledgerUrl ?? url, token: `GW1.${secretOf('GW1')}` },
    spoolDir: join(dir, 'spool'),
    lanes: [],
    ports: [...ports],
    uplink: { lingerMs: 0, retryMs: 20, retryMaxMs: 100 },
    parametersEverySeconds: 0.2,
    ...config
  }
  writeFileSync(path, JSON.stringify(whole))
  const env = {
    ...process.env,
    GATEWAY_CONFIG: path,
    GATEWAY_CLOCK: '2026-03-02T12:00:00+08:00',
    LOG_LEVEL: process.env['GATEWAY_LOG'] ?? 'fatal',
    UV_THREADPOOL_SIZE: '40',
    ...more,
    ...(killAt === undefined ? {} : { CITIZEN_CARD_KILL_AT: killAt })
  }
  let told: (ended: Ended) => void = () => undefined
  const lost = new Promise<Ended>(resolve => { told = resolve })
  const child = await superviseChild<{ url: string }>({
    name: 'GW1', ...nodeCommand('gateway/main.ts'), env, onLost: ended => told(ended),
    ...(process.env['GATEWAY_LOG'] === undefined ? {} : { onLine: line => console.error(line) })
  })
  const get = async <T>(path: string) => await (await fetch(child.ready.url + path)).json() as T
  return {
    child,
    get,
    lost,
    port: async name => (await get<PortState[]>('/v1/ports')).find(one => one.port === name) as PortState,
    drained: async () => {
      while ((await get<SpoolView>('/v1/spool')).depth > 0) await delay(10)
    },
    stop: async () => { await child.stop() }
  }
}
