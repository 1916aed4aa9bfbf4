// A listening socket as a port: each connection is a wire. Bounds how many there are, in all and from one
// address, and ends those that say nothing. It refuses to know what is spoken and for whom somebody speaks.
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { type TLSSocket, type TlsOptions, createServer as createTlsServer } from 'node:tls'
import type { Log } from '../../runtime/log.ts'
import type { TcpAddress } from '../../schemas/port.ts'
import { type AgainLimits, again, againLimits } from '../wire/again.ts'
import { converse, type WireLimits, wireLimits } from '../wire/stream-wire.ts'
import type { Conversation, Port, PortView, Wire } from '../wire/wire.ts'

export type TcpPortOptions = {
  readonly port: string
  readonly address: TcpAddress
  readonly begin: (wire: Wire) => Conversation
  readonly random: () => number
  readonly log: Log
  /** Who connects must prove itself first, where these options say so; absent: plain TCP. */
  readonly tls?: TlsOptions
  readonly limits?: Partial<WireLimits & AgainLimits>
}

const defaults = { connectionsMax: 2_000, perPeerMax: 2_000, idleSeconds: 300 } as const

/** A peer that vanished without a word is asked so often, as the system does it; idleness ends it sooner. */
const keepAliveMs = 30_000
/** A handshake that is not over by then is given up. */
const handshakeMs = 10_000

/** Resolves when it listens, or the first try to is over. */
export async function openTcpPort (options: TcpPortOptions): Promise<Port> {
  const { port, begin, random, log, tls } = options
  const address = { host: '127.0.0.1', ...defaults, ...options.address }
  const limits = { ...wireLimits, idleMs: address.idleSeconds * 1_000, ...againLimits, ...options.limits }
  const retry = again(random, limits)
  const peers = new Map<string, number>()
  const sockets = new Set<Socket>()
  const wires = new Set<Wire>()
  const counts = { connectionsRefused: 0, handshakesFailed: 0 }
  let state: PortView['state'] = 'away'
  let why: string | null = null
  let server: Server | null = null
  let listensAt = `${address.host}:${address.port}`
  let closing: Promise<void> | null = null

  /** Counted from the first packet: who only shakes hands takes a place too. */
  function admit (socket: Socket): void {
    const peer = socket.remoteAddress ?? ''
    const fromPeer = peers.get(peer) ?? 0
    if (sockets.size >= address.connectionsMax || fromPeer >= address.perPeerMax) {
      counts.connectionsRefused += 1
      log.warn({ port, peer, connections: sockets.size, fromPeer }, 'connection refused: too many')
      socket.destroy()
      return
    }
    sockets.add(socket)
    peers.set(peer, fromPeer + 1)
    socket.on('close', () => leave(socket, peer))
    socket.on('error', () => undefined) // told by its wire, where it became one
    socket.setKeepAlive(true, keepAliveMs)
    socket.setNoDelay(true)
    if (tls === undefined) serve(socket)
  }

  function leave (socket: Socket, peer: string): void {
    sockets.delete(socket)
    const fromPeer = (peers.get(peer) ?? 1) - 1
    if (fromPeer === 0) peers.delete(peer)
    else peers.set(peer, fromPeer)
  }

  function serve (stream: Socket, certificate: string | null = null): void {
    if (stream.destroyed) return
    const { remoteAddress = '', remotePort = 0 } = stream
    const name = `${port} ${remoteAddress}:${remotePort}`
    const wire = converse({
      name, certificate, stream, limits, begin,
      release: () => stream.destroy(),
      onEnd: (ended, because) => {
        wires.delete(ended)
        log.debug({ wire: name }, `connection ended: ${because}`)
      }
    })
    if (!stream.destroyed) wires.add(wire)
  }

  async function listen (): Promise<void> {
    const listening = tls === undefined ? createServer(admit) : secureServer(tls)
    const failed = await new Promise<Error | null>(resolve => {
      listening.once('error', resolve)
      listening.listen({ host: address.host, port: address.port }, () => resolve(null))
    })
    if (failed !== null) return stayAway(failed.message)
    if (state === 'closed') {
      listening.close()
      return
    }
    listening.on('error', error => log.error({ port }, error.message))
    const { address: host, port: number } = listening.address() as AddressInfo
    server = listening
    state = 'open'
    why = null
    listensAt = `${host}:${number}`
    log.info({ port, address: listensAt, tls: tls !== undefined }, 'listening')
  }

  function secureServer (options: TlsOptions): Server {
    const secure = createTlsServer({ handshakeTimeout: handshakeMs, ...options })
    secure.on('connection', admit)
    secure.on('secureConnection', stream => serve(stream, fingerprintOf(stream)))
    secure.on('tlsClientError', error => {
      counts.handshakesFailed += 1
      log.warn({ port }, `handshake failed: ${error.message}`)
    })
    return secure
  }

  function stayAway (because: string): void {
    if (state === 'closed') return
    if (why !== because) log.error({ port }, `cannot listen: ${because}`)
    why = because
    retry.later(() => { opening = listen() })
  }

  async function close (): Promise<void> {
    state = 'closed'
    retry.stop()
    await opening
    for (const wire of [...wires]) wire.end('the port is closed')
    for (const socket of [...sockets]) socket.destroy()
    const listening = server
    if (listening !== null) await new Promise<void>(resolve => listening.close(() => resolve()))
  }

  let opening = listen()
  await opening
  return {
    view: () => ({ port, address: listensAt, state, why, wires: wires.size, counts: { ...counts } }),
    close: () => {
      closing ??= close()
      return closing
    }
  }
}

/** Only of a certificate that was asked for and found good: what its authority signed. */
function fingerprintOf (stream: TLSSocket): string | null {
  const { fingerprint256 } = stream.getPeerCertificate()
  return stream.authorized && fingerprint256 !== undefined ? fingerprint256.replaceAll(':', '') : null
}
