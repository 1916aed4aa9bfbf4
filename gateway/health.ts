// Whether a gateway is alive, whether it can serve, and what is amiss, in words for whoever is on duty. Pure:
// it refuses to know how the parts work and who asks.
import { type GatewayFinding, type LaneView, type ReadyView, tapReasons } from '../schemas/gateway.ts'
import type { PortState } from '../schemas/port.ts'
import type { SpoolStatus } from './spool/spool.ts'
import type { ParametersStatus } from './uplink/parameters.ts'
import type { UplinkStatus } from './uplink/uplink.ts'

export type Condition = {
  readonly refusal: 'spool_full' | 'spool_failed' | null
  /** Journals beside the spool that cannot be written any more, by folder, and why. */
  readonly broken: ReadonlyMap<string, string>
  readonly spool: SpoolStatus
  readonly uplink: UplinkStatus
  readonly lanes: readonly LaneView[]
  readonly ports: readonly PortState[]
  readonly parameters: ParametersStatus
  /** Why parameters could not be fetched last time, or null. */
  readonly parametersFailure: string | null
  readonly headContradictions: number
}

/** What only a new process can heal. */
export function illnesses ({ refusal, broken, uplink }: Condition): GatewayFinding[] {
  return [
    ...refusal === 'spool_failed' ? [{ what: 'spool', why: tapReasons.spool_failed.en }] : [],
    ...[...broken].map(([folder, why]) => ({ what: `journal ${folder}`, why })),
    ...uplink.state === 'stopped'
      ? [{ what: 'uplink', why: `it has stopped: ${uplink.lastFailure ?? 'told to'}` }]
      : []
  ]
}

/** `wrong`: somebody is turned away because of it. `worries`: nobody is, yet. */
export function readiness (condition: Condition): ReadyView {
  const wrong = [...hindrances(condition)]
  return { ready: wrong.length === 0, refusal: condition.refusal, wrong, worries: [...worries(condition)] }
}

function * hindrances (
  { refusal, broken, lanes, ports, parameters }: Condition
): Generator<GatewayFinding> {
  if (refusal !== null) yield { what: 'spool', why: tapReasons[refusal].en }
  for (const [folder, why] of broken) yield { what: `journal ${folder}`, why }
  for (const { port, state, why } of ports) {
    if (state !== 'open') yield { what: `port ${port}`, why: why ?? state }
  }
  for (const { lane, psam, cardReader } of lanes) {
    if (cardReader === 'away') yield { what: `lane ${lane}`, why: 'its card reader is away' }
    if (psam.state !== 'ready' && psam.state !== 'none') {
      yield { what: `lane ${lane}`, why: `PSAM ${psam.state}${psam.why === null ? '' : `: ${psam.why}`}` }
    }
  }
  if (parameters.tariff === null && lanes.some(({ mode }) => mode === 'fare')) {
    yield { what: 'tariff', why: 'none was ever fetched that is valid now' }
  }
}

function * worries (condition: Condition): Generator<GatewayFinding> {
  const { spool, uplink, parameters, parametersFailure, headContradictions } = condition
  if (uplink.lastFailure !== null) {
    yield { what: 'uplink', why: `${uplink.failures} failures in a row: ${uplink.lastFailure}` }
  }
  if (parametersFailure !== null) yield { what: 'parameters', why: `kept as they are: ${parametersFailure}` }
  if (spool.highWater) yield { what: 'spool', why: `${spool.depth} records wait for the ledger` }
  if (spool.parked.length > 0) yield { what: 'spool', why: `${spool.parked.length} deliveries are set aside` }
  if (parameters.blacklist === null) yield { what: 'blacklist', why: 'none was ever fetched' }
  if (headContradictions > 0) yield { what: 'heads', why: 'the ledger has shown two pasts; see the log' }
}
