// Whether a configuration can be served: names that stand there once, readers that a pcscd can hold, a door
// that is guarded. Pure; the schema has looked at each field before.
import type { GatewayConfig } from '../schemas/gateway.ts'
import type { Sip2Speaks } from '../schemas/sip2/config.ts'
import { terminalKey, type TerminalRef } from '../schemas/terminals.ts'
import { isLoopback } from './http/caller.ts'

const readersOfPcscdMax = 15

/**
 * Throws. Record numbers are counted by terminal, and a reader serves one lane. A self-check keeps no
 * records: the lane at which a fine is paid from the purse is that of the same terminal.
 */
export function checkConfig ({ lanes, ports = [], http = {}, pcsc }: GatewayConfig): void {
  const sip2 = ports.filter(({ speaks }) => speaks.protocol === 'sip2')
  const keeping = portTerminals(ports.filter(port => !sip2.includes(port)))
  const parts = {
    port: ports.map(one => one.port),
    'lane name': lanes.map(lane => lane.lane),
    tape: [...ports.map(one => one.port), ...lanes.map(({ lane }) => tapeOf(lane))],
    terminal: lanes.map(lane => lane.terminal),
    'terminal of lanes and ports': [...lanes.map(terminalKey), ...keeping.map(terminalKey)],
    'self-check': portTerminals(sip2).map(terminalKey),
    reader: lanes.flatMap(({ readers, pcscd }) => Object.values(readers).map((name: string) =>
      pcscd === undefined ? name : `${name} of ${pcscd}`))
  }
  for (const [what, names] of Object.entries(parts)) {
    const before = new Set<string>()
    const twice = names.find(name => before.size === before.add(name).size)
    if (twice !== undefined) throw new Error(`configuration: the ${what} ${twice} stands there twice`)
  }
  for (const { lane, mode, readers, terminalNumber, identity } of lanes) {
    const bare = mode === 'orders' || (mode === 'load' && terminalNumber !== undefined)
    if (readers.psam !== undefined || bare || (mode === 'till' && identity !== undefined)) continue
    throw new Error(`configuration: lane ${lane} has no PSAM; a load lane with a terminalNumber needs ` +
      'none, nor does a lane for orders, nor a till that only reads identities')
  }
  for (const { pcscd } of lanes) {
    const count = lanes.filter(lane => lane.pcscd === pcscd)
      .reduce((sum, { readers }) => sum + Object.keys(readers).length, 0)
    if (count <= readersOfPcscdMax) continue
    const where = pcscd === undefined ? 'the first pcscd' : `pcscd ${pcscd}`
    throw new Error(`configuration: ${count} readers at ${where}, it serves ${readersOfPcscdMax}`)
  }
  if (pcsc?.process === 'here' && pcsc.others !== undefined) {
    throw new Error('configuration: one process speaks to one pcscd; with others, readers are held apart')
  }
  const { host = '127.0.0.1', token } = http
  if (token === undefined && !isLoopback(host)) {
    throw new Error(`configuration: http listens at ${host} and has no token: whoever comes there could ` +
      'ask for charges and see cards')
  }
}

/** Terminals that ports name. */
export const portTerminals = (ports: NonNullable<GatewayConfig['ports']>): TerminalRef[] =>
  ports.flatMap(({ speaks }) => {
    if (speaks.protocol === 'sip2') return selfChecks(speaks)
    const named: readonly TerminalRef[] = 'terminals' in speaks ? speaks.terminals : []
    return named.map(({ operator, terminal }) => ({ operator, terminal }))
  })

function selfChecks ({ library: operator, logins = [], terminal }: Sip2Speaks): TerminalRef[] {
  const named = [...logins.map(one => one.terminal), ...terminal === undefined ? [] : [terminal]]
  return [...new Set(named)].map(terminal => ({ operator, terminal }))
}

export const tapeOf = (lane: string): string => `lane-${lane}`
