// The figures of a gateway, by name. It refuses to know how they are fetched.
import type { Clock } from '../runtime/clock.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { TapView } from '../schemas/gateway.ts'
import type { Blocks } from './blocks/blocks.ts'
import type { Codes } from './codes/codes.ts'
import type { Loads } from './loads/loads.ts'
import type { Desk } from './desk.ts'
import type { Orders } from './orders/orders.ts'
import type { CardReaders } from './pcsc/card-readers.ts'
import type { Lane } from './pcsc/lane.ts'
import type { Ports } from './ports.ts'
import type { Spool } from './spool/spool.ts'
import type { Terminals } from './terminals/terminals.ts'
import type { Parameters } from './uplink/parameters.ts'
import type { Uplink } from './uplink/uplink.ts'
import type { Witness } from './uplink/witness.ts'

export type Measured = {
  clock: Clock
  spool: Spool
  uplink: Uplink
  witness: Witness
  readers: CardReaders
  parameters: Parameters
  lanes: ReadonlyMap<string, Lane>
  ports: Ports
  desk: Pick<Desk, 'view'>
  loads: Loads
  blocks: Blocks
  orders: Pick<Orders, 'view'>
  codes: Pick<Codes, 'view'>
  terminals: Pick<Terminals, 'view'>
}

const tapMsBounds = [5, 10, 20, 50, 100, 200, 300, 500, 1_000, 3_000]

/** Registers all of them; returns what to call for each tap. */
export function gatewayMetrics (metrics: Metrics, measured: Measured): (tap: TapView) => void {
  const { clock, spool, uplink, witness, readers, parameters, lanes, ports } = measured
  const { loads, blocks, orders, codes, desk, terminals } = measured
  const taps = metrics.counter('gateway_taps_total', 'taps by lane, outcome and reason')
  const tapMs = metrics.histogram('gateway_tap_ms', 'from card present to the open gate', tapMsBounds)
  const count = (name: string, help: string, read: () => number) => { metrics.gauge(name, help, read) }
  const counted = (name: string, help: string, read: () => number) => { metrics.counter(name, help, read) }
  count('gateway_spool_depth', 'records not answered by the ledger yet', () => spool.level().depth)
  count('gateway_spool_oldest_seconds', 'age of the oldest of them; 0: none', () => {
    const { oldestAtMs } = spool.status()
    return oldestAtMs === null ? 0 : Math.max(0, Math.round((clock.now() - oldestAtMs) / 1_000))
  })
  count('gateway_spool_refuses', '1 while no tap is taken because of the spool', () =>
    spool.refusal() === null ? 0 : 1)
  count('gateway_spool_segments', 'files of the spool', () => spool.status().segments)
  counted('gateway_spool_delivered_total', 'records answered by the ledger', () => spool.status().delivered)
  counted('gateway_spool_lost_total', 'records that could not be read back and were never delivered', () =>
    spool.status().lost)
  count('gateway_spool_parked', 'deliveries set aside', () => spool.status().parked.length)
  count('gateway_spool_high_water', '1 while the spool is filling up', () => spool.level().highWater ? 1 : 0)
  counted('gateway_spool_flushes_total', 'disk flushes', () => spool.status().flushes)
  count('gateway_open_intents', 'cards that are expected back', () => spool.status().openIntents)
  count('gateway_loads_open', 'cards whose load nobody saw the end of', () => loads.view().open)
  count('gateway_loads_untold', 'outcomes of loads that the ledger has not heard', () => loads.view().untold)
  count('gateway_blocks_untold', 'blocks of cards that the ledger has not heard of', () =>
    blocks.view().untold)
  count('gateway_orders_open', 'cards that may have obeyed an order nobody saw the end of', () =>
    orders.view().open)
  count('gateway_orders_untold', 'what chips did with orders and the ledger has not heard', () =>
    orders.view().untold)
  count('gateway_codes_untold', 'codes that were taken and the ledger has not heard of', () =>
    codes.view().untold)
  counted('gateway_codes_unpaid_total', 'codes that were taken and the ledger does not pay', () =>
    codes.view().unpaid)
  metrics.gauge('gateway_terminal_events', 'what is wrong with terminals now, by kind', () =>
    Object.entries(terminals.view().events).map(([kind, terminals]) => [{ kind }, terminals] as const))
  count('gateway_uplink_failures', 'failed deliveries in a row', () => uplink.status().failures)
  metrics.counter('gateway_uplink_results_total', 'records answered, by the reason of the ledger', () =>
    Object.entries(uplink.status().results).map(([reason, records]) => [{ reason }, records]))
  counted('gateway_head_contradictions_total', 'heads that deny an earlier one', () =>
    witness.contradictions())
  counted('gateway_pcsc_failures_total', 'times the card reader service was lost', () => readers.failures())
  count('gateway_blacklist_version', 'version applied, 0 for none', () => parameters.blacklistVersion() ?? 0)
  count('gateway_tariff_version', 'version valid now, 0 for none', () => parameters.tariff()?.version ?? 0)
  metrics.gauge('gateway_lane_state', '1 for the state of each lane', () =>
    [...lanes.values()].map(lane => lane.view()).map(({ lane, cardReader, psam, state }) =>
      [{ lane, reader: cardReader, psam: psam.state, session: state }, 1]))
  count('gateway_psams_ready', 'lanes whose PSAM is ready', () =>
    [...lanes.values()].filter(lane => lane.view().psam.state === 'ready').length)
  metrics.gauge('gateway_port_open', '1 while the device is there, or the socket listens', () =>
    ports.states().map(({ port, state }) => [{ port }, state === 'open' ? 1 : 0]))
  metrics.gauge('gateway_port_wires', 'conversations under way', () =>
    ports.states().map(({ port, wires }) => [{ port }, wires]))
  metrics.counter('gateway_port_events_total', 'frames, exchanges and errors of a port, by name', () =>
    ports.states().flatMap(({ port, protocol, counts }) =>
      Object.entries(counts).map(([event, count]) => [{ port, protocol, event }, count] as const)))
  count('gateway_desk_open', 'taken back, and not answered by the ledger yet', () => desk.view().open)
  count('gateway_desk_oldest_seconds', 'age of the oldest of them; 0: none', () => {
    const { oldestAtMs } = desk.view()
    return oldestAtMs === null ? 0 : Math.max(0, Math.round((clock.now() - oldestAtMs) / 1_000))
  })
  count('gateway_desk_refused', 'taken back, and refused by the ledger: somebody has to look', () =>
    desk.view().refused)
  count('gateway_memory_bytes', 'resident memory of this process', () => process.memoryUsage.rss())
  count('gateway_handles', 'timers, sockets and files that are open in this process', () =>
    process.getActiveResourcesInfo().length)
  return ({ lane, outcome, reason, ms }) => {
    taps.add({ lane, outcome, reason })
    if (outcome === 'approved' && ms.total > 0) tapMs.observe(ms.total)
  }
}
