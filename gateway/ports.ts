// Opens each configured port: a carrier that gives wires, and the face that speaks on them. Who opens it
// closes it. It refuses to know bytes.
import { readFileSync } from 'node:fs'
import type { TlsOptions } from 'node:tls'
import type { PortConfig, PortState, Speaks, TcpTls } from '../schemas/port.ts'
import { echoFace } from './echo/face.ts'
import type { EdgeHouse, Face, PortHouse } from './face.ts'
import { iso8583Face } from './iso8583/face.ts'
import { iso8583Masker } from './iso8583/mask.ts'
import { polledFace } from './polled/face.ts'
import { polledMasker } from './polled/mask.ts'
import { posLineFace } from './pos-line/face.ts'
import { posLineMasker } from './pos-line/mask.ts'
import { openSerialPort } from './serial/port.ts'
import { sip2Face } from './sip2/face.ts'
import { sip2Masker } from './sip2/mask.ts'
import type { MaskerMaker, Tapes } from './tapes.ts'
import { openTcpPort } from './tcp/port.ts'
import { type Guard, openGuard } from './wire/guard.ts'
import type { Port } from './wire/wire.ts'

export type Ports = {
  states (): PortState[]
  /** What is under way comes to its end first; then devices and sockets are given back. */
  close (): Promise<void>
}

type OpenPort = {
  readonly config: PortConfig, readonly port: Port, readonly face: Face, readonly guard: Guard
}
type Speaking<P extends Speaks['protocol']> = Extract<Speaks, { protocol: P }>
type FaceMaker<P extends Speaks['protocol']> =
  (speaks: Speaking<P>, house: PortHouse, port: string) => Face | Promise<Face>

/** One row for each protocol. */
const faces: { readonly [P in Speaks['protocol']]: FaceMaker<P> } = {
  echo: () => echoFace(),
  sip2: sip2Face,
  polled: polledFace,
  'pos-line': posLineFace,
  iso8583: iso8583Face
}

/**
 * What takes out of each protocol what no tape may hold; null: lengths alone are told. Numbers of cards and
 * names stay where the second argument is true.
 */
const maskers: {
  readonly [P in Speaks['protocol']]: (speaks: Speaking<P>, numbers: boolean) => MaskerMaker
} = {
  echo: () => null,
  iso8583: iso8583Masker,
  sip2: sip2Masker,
  polled: polledMasker,
  'pos-line': posLineMasker
}

/** Resolves when each port is open, or its first try is over. */
export async function openPorts (
  configs: readonly PortConfig[], house: EdgeHouse, tapes: Tapes
): Promise<Ports> {
  const ports = await Promise.all(configs.map(config => openPort(config, house, tapes)))
  return {
    states: () => ports.map(stateOf),
    close: async () => { await Promise.all(ports.map(closePort)) }
  }
}

async function openPort (config: PortConfig, house: EdgeHouse, tapes: Tapes): Promise<OpenPort> {
  const { port: name, speaks, tape = {} } = config
  const tls = 'tcp' in config ? config.tcp.tls : undefined
  const secured = tls === undefined ? {} : { tls: tlsOf(name, tls) }
  const make = faces[speaks.protocol] as FaceMaker<Speaks['protocol']>
  const log = house.log.child({ port: name, protocol: speaks.protocol })
  const mask = maskers[speaks.protocol] as (speaks: Speaks, numbers: boolean) => MaskerMaker
  const guard = openGuard({
    ...config.limits === undefined ? {} : { limits: config.limits },
    ...tls?.terminals === undefined ? {} : { bound: tls.terminals },
    terminals: house.terminals, nowMs: house.nowMs, log
  })
  const made = await make(speaks, { ...house, log, guard }, name)
  const face = guard.guarded(tapes.taped(name, made, mask(speaks, tape.numbers === true)))
  if (tape.on === true) tapes.record(name, always)
  const { random } = house
  const shared = { port: name, begin: face.begin, random, log }
  const port = 'serial' in config
    ? await openSerialPort({ ...shared, device: config.serial })
    : await openTcpPort({ ...shared, address: config.tcp, ...secured })
  return { config, port, face, guard }
}

/** Read once: a new certificate is taken up at a start. Throws where a path cannot be read. */
function tlsOf (port: string, { cert, key, clientCa, terminals }: TcpTls): TlsOptions {
  if (terminals !== undefined && clientCa === undefined) {
    throw new Error(`configuration: port ${port} binds terminals to certificates and has no clientCa`)
  }
  const clients = clientCa === undefined
    ? {}
    : { ca: readFileSync(clientCa), requestCert: true, rejectUnauthorized: true }
  return { minVersion: 'TLSv1.2', cert: readFileSync(cert), key: readFileSync(key), ...clients }
}

/** Ten years. */
const always = 315_360_000

function stateOf ({ config, port, face, guard }: OpenPort): PortState {
  const { protocol, counts } = face.view()
  const carrier = 'serial' in config ? 'serial' : 'tcp'
  const view = port.view()
  return { ...view, carrier, protocol, counts: { ...counts, ...guard.counts, ...view.counts } }
}

async function closePort ({ port, face }: OpenPort): Promise<void> {
  await face.close()
  await port.close()
}
