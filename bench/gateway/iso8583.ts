// A thousand terminals that speak ISO 8583, each with a connection of its own to one gateway, beside a
// thousand that are only sent back what they said, by the same process over the same code of sockets.
// Purchases are signed, kept on disk twice and asked of a stand-in of the ledger. What a terminal has to say
// was made ready before, so that the clock runs for the gateway.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sealTerminalKeys } from '../../gateway/keys.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { openEnvelope } from '../../schemas/iso8583/framing.ts'
import { parseMessage } from '../../schemas/iso8583/message.ts'
import type { PortState } from '../../schemas/port.ts'
import { openPos } from '../../terminal-sim/iso8583/pos.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { startStandIn } from '../support/stand-in.ts'
import type { ProcessState } from '../support/state-on-signal.ts'

const terminalsOpen = 1_000
const exchangesEach = 10
/** How many of the open terminals are in the middle of an exchange at any time. */
const atOnce = [50, terminalsOpen] as const

const merchant = '898421000000001'
const master = unhex('0123456789ABCDEFFEDCBA9876543210')
const card = '3104990600000000001'
const nameOf = (number: number): string => `P${String(number).padStart(5, '0')}`

type Terminal = { readonly socket: Socket, readonly frame: () => Uint8Array }
type Measured = { readonly perSecond: number, readonly p50Ms: number, readonly p99Ms: number }

export async function purchasesOfMany (): Promise<Record<string, unknown>> {
  const dir = mkdtempSync(join(tmpdir(), 'iso8583-bench-'))
  const ledger = await startStandIn()
  const gateway = await openGateway(dir, ledger.url)
  const opened: Socket[] = []
  try {
    const states = await gateway.get<PortState[]>('/v1/ports')
    const [echoPort = 0, posPort = 0] = ['ECHO', 'POS'].map(name => portOf(states, name))
    const none = await gateway.look()
    const echo = await openMany(opened, echoPort, async (socket, number) => {
      const { frame } = await signedIn(posOf(number), null)
      return { socket, frame }
    })
    const onlyOpen = await gateway.look()
    const purchases = await openMany(opened, posPort, async (socket, number) =>
      ({ socket, ...await signedIn(posOf(number), socket) }))
    const signedInAll = await gateway.look()
    const figures: Record<string, unknown> = {
      terminals: terminalsOpen,
      bytesPerTerminal: {
        open: perTerminal(none, onlyOpen), openAndSignedIn: perTerminal(onlyOpen, signedInAll)
      }
    }
    for (const many of atOnce) {
      const sentBack = await measure(echo, many, answer => answer.length > 0)
      const paid = await measure(purchases, many, isApproved)
      const ratio = paid.perSecond / sentBack.perSecond
      figures[`${many} at once`] = { echo: sentBack, purchases: paid, ratio }
      say(`echo, ${many} at once`, sentBack)
      say(`purchases, ${many} at once`, paid)
      console.log(`ratio ${ratio.toFixed(3)}`)
    }
    console.log(`memory of a terminal: ${kib(perTerminal(none, onlyOpen))} open, ` +
      `${kib(perTerminal(onlyOpen, signedInAll))} open and signed in`)
    return figures
  } finally {
    for (const socket of opened) socket.destroy()
    await gateway.child.stop()
    await ledger.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

/* ---- the gateway ---- */

async function openGateway (dir: string, ledgerUrl: string): Promise<Gateway> {
  const names = Array.from({ length: terminalsOpen }, (_, number) => nameOf(number))
  const keys = Object.fromEntries(names.map(name => [name, { suite: '3des' as const, master: hex(master) }]))
  writeFileSync(join(dir, 'keys'), sealTerminalKeys({ keys }, 'bench', randomBytes(16), randomBytes(12)))
  return await startGateway(dir, {
    ledger: { url: ledgerUrl, token: 'BENCH.secret' },
    lanes: [],
    ports: [
      { port: 'ECHO', tcp: { port: 0 }, speaks: { protocol: 'echo' } },
      {
        port: 'POS',
        tcp: { port: 0 },
        speaks: {
          protocol: 'iso8583', deadlineMs: 60_000,
          terminals: names.map(terminal => ({ terminal, merchant, operator: 'SHP' })),
          issuers: [{ begins: '310499', issuer: '02313750FFFFFFFF' }]
        }
      }
    ]
  }, { GATEWAY_KEYS: join(dir, 'keys'), GATEWAY_KEYS_PASSPHRASE: 'bench' })
}

const portOf = (states: readonly PortState[], name: string): number =>
  Number(/:(\d+)$/.exec(states.find(({ port }) => port === name)?.address ?? '')?.[1])

/** In the heap and in buffers; what the kernel keeps of a socket is not the process's. */
const perTerminal = (before: ProcessState, after: ProcessState): number =>
  (after.heapBytes + after.externalBytes - before.heapBytes - before.externalBytes) / terminalsOpen

/* ---- terminals ---- */

async function openMany (
  opened: Socket[], port: number, begin: (socket: Socket, number: number) => Promise<Terminal>
): Promise<Terminal[]> {
  const terminals: Terminal[] = []
  for (let number = 0; number < terminalsOpen; number++) {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    opened.push(socket)
    terminals.push(await begin(socket, number))
  }
  return terminals
}

const posOf = (number: number) => openPos({ terminal: nameOf(number), merchant, master, answerMs: 60_000 })

/** From here on its bytes are looked at when the clock has stopped. `null`: it asks nobody for a key. */
async function signedIn (
  pos: ReturnType<typeof posOf>, socket: Socket | null
): Promise<Pick<Terminal, 'frame'>> {
  if (socket !== null) {
    pos.attach(socket)
    await pos.signIn()
    socket.removeAllListeners('data')
  }
  const buy = { 2: card, 4: '000000000180' }
  return { frame: () => pos.frame('purchase', buy, socket === null ? master : pos.key()) }
}

/* ---- measuring ---- */

async function measure (
  terminals: readonly Terminal[], many: number, isRight: (answer: Uint8Array) => boolean
): Promise<Measured> {
  const asked = terminals.map(({ socket, frame }) => ({
    socket, frames: Array.from({ length: exchangesEach }, frame), answers: [] as Uint8Array[]
  }))
  const timesMs: number[] = []
  const startMs = performance.now()
  await Promise.all(Array.from({ length: many }, async (_, worker) => {
    for (let exchange = 0; exchange < exchangesEach; exchange++) {
      for (let at = worker; at < asked.length; at += many) {
        const { socket, frames, answers } = asked[at]!
        const sentMs = performance.now()
        socket.write(frames[exchange]!)
        answers.push(await wholeFrame(socket))
        timesMs.push(performance.now() - sentMs)
      }
    }
  }))
  const seconds = (performance.now() - startMs) / 1_000
  assert(asked.every(({ answers }) => answers.every(isRight)), 'each was answered as it should be')
  assert.equal(timesMs.length, terminalsOpen * exchangesEach)
  timesMs.sort((one, other) => one - other)
  const at = (part: number): number => timesMs[Math.floor(timesMs.length * part)] ?? 0
  return { perSecond: timesMs.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** Two bytes of length, and so many behind them. */
async function wholeFrame (socket: Socket): Promise<Uint8Array> {
  let got: Buffer = Buffer.alloc(0)
  while (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) {
    const [bytes] = await once(socket, 'data') as [Buffer]
    got = got.length === 0 ? bytes : Buffer.concat([got, bytes])
  }
  return got
}

function isApproved (answer: Uint8Array): boolean {
  const opened = openEnvelope(answer.subarray(2))
  if (!opened.ok) return false
  const parsed = parseMessage(opened.envelope.body)
  return parsed.ok && parsed.message.fields[39] === '00'
}

const kib = (bytes: number): string => `${(bytes / 1_024).toFixed(1)} KiB`

const say = (what: string, { perSecond, p50Ms, p99Ms }: Measured): void => console.log(
  `${what.padEnd(28)} ${Math.round(perSecond)} /s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`)
