// A bare PC/SC client for tests, over the npm binding: waits for cards, connects, transmits.
// It knows nothing of what the commands mean. One socket per process: libpcsclite reads the name once.

import { setTimeout as delay } from 'node:timers/promises'
import type pcsclite from 'pcsclite'

type Binding = ReturnType<typeof pcsclite>
type BoundReader = Parameters<Extract<Parameters<Binding['on']>[1], (reader: never) => void>>[0]

export type ReaderClient = {
  readonly name: string
  /** Resolves with the ATR in hex. */
  present (): Promise<string>
  empty (): Promise<void>
  /** Connects; the answer to each hex command comes in hex. */
  connect (protocol: 'T=0' | 'T=1'): Promise<void>
  transmit (command: string): Promise<string>
  disconnect (): Promise<void>
}

export type PcscClient = {
  reader (name: string): Promise<ReaderClient>
  readonly errors: string[]
  close (): void
}

const waitMs = 15_000

/** Why the binding does not load, or null. */
export const whyNoPcsc = async (): Promise<string | null> =>
  await import('pcsclite').then(() => null, () => 'the npm package pcsclite is not built here')

export async function openPcsc (socket: string): Promise<PcscClient> {
  process.env['PCSCLITE_CSOCK_NAME'] = socket
  const { default: open } = await import('pcsclite')
  const binding = open()
  const errors: string[] = []
  const readers = new Map<string, ReaderClient>()
  binding.on('error', (error: unknown) => errors.push(String(error)))
  binding.on('reader', (reader: BoundReader) => readers.set(reader.name, readerClient(reader, errors)))
  return {
    errors,
    async reader (name) {
      await until(() => readers.has(name), `reader ${name}`)
      return readers.get(name) as ReaderClient
    },
    close () { binding.close() }
  }
}

function readerClient (reader: BoundReader, errors: string[]): ReaderClient {
  let atr: string | null = null
  let protocol = 0
  reader.on('error', (error: unknown) => errors.push(String(error)))
  reader.on('status', status => {
    const isPresent = (status.state & reader.SCARD_STATE_PRESENT) !== 0
    atr = isPresent && status.atr !== undefined ? hex(status.atr) : null
  })
  reader.on('end', () => { atr = null })
  return {
    name: reader.name,
    async present () {
      await until(() => atr !== null, `a card in ${reader.name}`)
      return atr ?? ''
    },
    empty: () => until(() => atr === null, `no card in ${reader.name}`),
    async connect (wanted) {
      const options = {
        share_mode: reader.SCARD_SHARE_SHARED,
        protocol: wanted === 'T=0' ? reader.SCARD_PROTOCOL_T0 : reader.SCARD_PROTOCOL_T1
      }
      protocol = await called<number>(done => reader.connect(options, done))
    },
    transmit: async command =>
      hex(await called<Buffer>(done => reader.transmit(Buffer.from(command, 'hex'), 258, protocol, done))),
    disconnect: () => called<void>(done => reader.disconnect(reader.SCARD_RESET_CARD, done))
  }
}

const hex = (bytes: Buffer) => bytes.toString('hex').toUpperCase()

const called = <Value>(call: (done: (error: unknown, value?: Value) => void) => void) =>
  new Promise<Value>((resolve, reject) => call((error, value) => {
    if (error == null) resolve(value as Value)
    else reject(error instanceof Error ? error : new Error(String(error)))
  }))

/** Fails after 15 s: the machine may be busy, a lost event never comes. */
async function until (holds: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + waitMs; !holds(); await delay(5)) {
    if (performance.now() > end) throw new Error(`waited ${waitMs} ms in vain for ${what}`)
  }
}
