// Puts a gateway together and takes it apart: spool, parameters, uplink, lanes, ports, HTTP. Who opens it
// closes it. It refuses to read the environment.
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { type GatewayConfig } from '../schemas/gateway.ts'
import { chargeBook } from './charges.ts'
import { checkConfig, portTerminals, tapeOf } from './check-config.ts'
import { openDesk } from './desk.ts'
import type { EdgeHouse } from './face.ts'
import type { Condition } from './health.ts'
import { buildApp } from './http/app.ts'
import { openBlocks } from './blocks/blocks.ts'
import { openCodes } from './codes/codes.ts'
import { scanDesk } from './codes/scan.ts'
import { identityBook } from './identities.ts'
import { ledgerClient } from './ledger-client.ts'
import { openLoads } from './loads/loads.ts'
import { gatewayMetrics } from './metrics.ts'
import { openOrders } from './orders/orders.ts'
import type { CardReaders } from './pcsc/card-readers.ts'
import { type Lane, openLane } from './pcsc/lane.ts'
import { tapedPcsc } from './pcsc/tape.ts'
import { openChangeBook } from './polled/change-book.ts'
import { pinBook } from './pins.ts'
import { openPorts } from './ports.ts'
import { directoryLayer } from './spool/files.ts'
import { lockDirectory } from './spool/lock.ts'
import { type Spool, openSpool } from './spool/spool.ts'
import { watchSpool } from './spool/watch.ts'
import { openTapes } from './tapes.ts'
import { tapLog } from './taps.ts'
import { lookAtLanes } from './terminals/lanes.ts'
import { openTerminals } from './terminals/terminals.ts'
import { keepFresh } from './uplink/keep-fresh.ts'
import { openParameters } from './uplink/parameters.ts'
import { startUplink } from './uplink/uplink.ts'
import { headWitness } from './uplink/witness.ts'

export type GatewayOptions = {
  config: GatewayConfig
  clock: Clock
  readers: CardReaders
  log: Log
  /** Jitter, 0 <= x < 1. */
  random: () => number
  /** A clock that only runs forward, in milliseconds. */
  nowMs: () => number
  /** An id never used before, of 8 to 40 letters, digits and hyphens. */
  newId: () => string
  /** A key from the key file, by its name; absent: there is no key file. */
  masterKey?: EdgeHouse['masterKey']
}

export type Gateway = {
  readonly app: FastifyInstance
  readonly url: string
  /** Resolves when the spool, or a journal beside it, cannot be written: only a new process can go on. */
  readonly failed: Promise<Error>
  close (): Promise<void>
}

const limits = { firstParametersMs: 2_000, lanesSettleMs: 1_500 } as const
const uplinkDefaults = {
  batchMax: 500, lingerMs: 20, retryMs: 250, retryMaxMs: 15_000, tryTimeoutMs: 30_000, parkedMax: 100
} as const

/** Resolves when taps are taken, or it is known what each lane waits for. */
export async function buildGateway (options: GatewayOptions): Promise<Gateway> {
  const { config } = options
  checkConfig(config)
  mkdirSync(config.spoolDir, { recursive: true, mode: 0o700 })
  const release = lockDirectory(config.spoolDir)
  try {
    return await assemble(options, release)
  } catch (error) {
    release()
    throw error
  }
}

async function assemble (options: GatewayOptions, release: () => void): Promise<Gateway> {
  const { config, clock, readers, log, random, nowMs, newId } = options
  const http = ledgerClient(config.ledger, random)
  const { gateway: name, spoolDir } = config
  const broken = new Map<string, string>()
  let end: (failure: Error) => void = () => undefined
  const failed = new Promise<Error>(resolve => { end = resolve })
  const fail = (folder: string, failure: Error): void => {
    broken.set(folder, failure.message)
    log.error({ alarm: 'journal_failed', folder, err: failure }, 'nothing can be kept there any more')
    end(failure)
  }
  const kept = (folder: string) => ({
    files: directoryLayer(join(spoolDir, folder)), onFailure: (failure: Error) => fail(folder, failure)
  })
  const spool = await openSpool({
    files: directoryLayer(join(spoolDir, 'segments')),
    clock,
    limits: config.spool ?? {},
    onDamage: (segment, offset) => {
      log.error({ alarm: 'spool_damaged', segment, offset }, 'a record cannot be read back')
    },
    onFailure: end
  })
  await tellOpen(spool, log)
  const level = watchSpool(spool, log)

  const witness = headWitness(join(spoolDir, 'heads.jsonl'), log)
  const terminals = config.lanes.map(({ operator, terminal }) => ({ operator, terminal }))
  const parameters = openParameters({ dir: spoolDir, terminals, http, clock, log })
  const everyMs = (config.parametersEverySeconds ?? 60) * 1_000
  const fresh = keepFresh({
    refresh: parameters.refresh, everyMs, log, what: 'parameters stay as they are'
  })
  const watch = keepFresh({
    refresh: async () => {
      await witness.look(http)
      await witness.check(http)
    },
    everyMs: (config.witnessEverySeconds ?? 900) * 1_000,
    log,
    what: 'the past of the ledger is not checked'
  })
  const lanes = new Map<string, Lane>()
  const reportEverySeconds = config.reportEverySeconds ?? 60
  const estate = openTerminals({
    dir: spoolDir, gateway: clientIdIn(config.ledger.token),
    configured: [...terminals, ...portTerminals(config.ports ?? [])], http, clock, nowMs, log,
    spoolDepth: () => spool.level().depth, settings: { reportEverySeconds }
  })
  const reporting = keepFresh({
    refresh: async () => {
      await estate.refresh()
      lookAtLanes([...lanes.values()].map(lane => lane.view()), estate)
      await estate.report()
    },
    everyMs: reportEverySeconds * 1_000, log, what: 'the centre is not told of terminals'
  })
  await Promise.race([Promise.all([fresh.first, reporting.first]), delay(limits.firstParametersMs)])

  const taps = tapLog()
  const charges = chargeBook(newId)
  const pins = pinBook(config.lanes)
  const identities = identityBook({ clock, newId })
  const uplink = startUplink({
    spool, http, log, random, newDelivery: () => `${name}-${newId()}`, onHead: witness.see,
    settings: { ...uplinkDefaults, ...config.uplink }
  })
  const metrics = createMetrics()
  const desk = await openDesk({
    http, ...kept('desk'), clock, nowMs, random, log
  })
  const loads = await openLoads({
    http, ...kept('loads'), clock, nowMs, random, log,
    newKey: () => `${name}-${newId()}`
  })
  const blocks = await openBlocks({
    http, ...kept('blocks'), clock, nowMs, random, log,
    newKey: () => `${name}-${newId()}`
  })
  const orders = await openOrders({
    http, ...kept('orders'), clock, nowMs, random, log,
    newKey: () => `${name}-${newId()}`
  })
  const codes = await openCodes({ http, ...kept('codes'), clock, nowMs, random, log, parameters })
  const changes = openChangeBook(spoolDir)
  const folder = (name: string) => directoryLayer(join(spoolDir, name))
  const house = {
    spool, desk, codes, http, parameters, changes, terminals: estate, clock, nowMs, random, newId,
    randomBytes, folder, fail,
    masterKey: options.masterKey ?? (() => null), log
  }
  const tapes = openTapes({ dir: join(spoolDir, 'tapes'), clock, log })
  const ports = await openPorts(config.ports ?? [], house, tapes)
  const onTap = gatewayMetrics(metrics, {
    clock, spool, uplink, witness, readers, parameters, lanes, ports, loads, blocks, orders, desk,
    codes, terminals: estate
  })
  const rules = config.cards ?? {}
  const shared = {
    rules, spool, parameters, clock, nowMs, random, log, taps, charges, loads, blocks, orders, pins,
    identities, onTap
  }
  for (const lane of config.lanes) {
    const refused = () => {
      const found = estate.find(lane.terminal, lane.operator)
      return found.ok ? null : found.reason
    }
    const pcsc = tapedPcsc(readers.of(lane.pcscd), tapes.teller(tapeOf(lane.lane)))
    lanes.set(lane.lane, openLane({ config: lane, pcsc, refused, ...shared }))
  }
  const condition = (): Condition => ({
    refusal: spool.refusal(),
    broken,
    spool: spool.status(),
    uplink: uplink.status(),
    lanes: [...lanes.values()].map(lane => lane.view()),
    ports: ports.states(),
    parameters: parameters.status(),
    parametersFailure: fresh.failure(),
    headContradictions: witness.contradictions()
  })
  const app = buildApp({
    lanes, ports, tapes, taps, charges, loads, pins, identities, spool, uplink, parameters, metrics,
    condition, log, token: config.http?.token,
    scan: scanDesk({
      codes, lanes: config.lanes, parameters, taps, spool, estate, clock, nowMs, onTap
    })
  })
  const url = await app.listen({ host: config.http?.host ?? '127.0.0.1', port: config.http?.port ?? 0 })
  const settled = [...lanes.values()].map(lane => lane.settled)
  await Promise.race([Promise.all(settled), delay(limits.lanesSettleMs)])

  return {
    app,
    url,
    failed,
    close: async () => {
      await Promise.all([...[...lanes.values()].map(lane => lane.close()), ports.close()])
      pins.close()
      identities.close()
      await fresh.stop()
      await reporting.stop()
      estate.close()
      await watch.stop()
      await uplink.stop()
      await desk.close()
      await loads.close()
      await blocks.close()
      await orders.close()
      await codes.close()
      taps.close()
      await app.close()
      level.stop()
      await spool.close()
      http.close()
      release()
    }
  }
}

/** `ID.SECRET`: as whom the ledger knows this gateway. */
const clientIdIn = (token: string): string => token.slice(0, Math.max(0, token.lastIndexOf('.')))

/**
 * A process that died between intent and record left the outcome open: the ledger hears of it as a grey
 * record.
 */
async function tellOpen (spool: Spool, log: Log): Promise<void> {
  for (const { sequence: intent, lane, record, told } of spool.openIntents()) {
    if (told) continue
    await spool.record({ intent, lane, record, settled: false })
    log.warn({ lane, recordNo: record.recordNo }, 'a payment was cut short by the last end: told as grey')
  }
}
