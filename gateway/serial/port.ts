// A serial device as a port: opened, kept open, opened again when it comes back. The only file that knows the
// serial library. It refuses to know what is spoken.
import { stat } from 'node:fs/promises'
import { SerialPort } from 'serialport'
import type { Log } from '../../runtime/log.ts'
import type { SerialDevice } from '../../schemas/port.ts'
import { type AgainLimits, again, againLimits } from '../wire/again.ts'
import { converse, type WireLimits, wireLimits } from '../wire/stream-wire.ts'
import type { Conversation, Port, PortView, Wire } from '../wire/wire.ts'

export type SerialPortOptions = {
  readonly port: string
  readonly device: SerialDevice
  readonly begin: (wire: Wire) => Conversation
  readonly random: () => number
  readonly log: Log
  readonly limits?: Partial<WireLimits & AgainLimits & { lookMs: number }>
}

/** How often it is looked whether the device is still there. */
const lookMs = 1_000

/**
 * Resolves when the first try to open is over, well or not. A device that vanishes is told by the library;
 * one whose other end was only closed is not: a face must notice silence by itself. Nor is one that hangs up
 * between two looks of the library: reading it then gives nothing for ever, as fast as it can, so it is
 * looked at from here too. Every opening takes a new object: a stream closed under its reader is destroyed.
 */
export async function openSerialPort (options: SerialPortOptions): Promise<Port> {
  const { port, device, begin, random, log } = options
  const limits = { ...wireLimits, ...againLimits, lookMs, ...options.limits }
  const retry = again(random, limits)
  let state: PortView['state'] = 'away'
  let why: string | null = null
  let closing: Promise<void> | null = null
  let now: { readonly stream: SerialPort, readonly wire: Wire } | null = null
  let released = Promise.resolve()

  async function open (): Promise<void> {
    await released // the device is locked until then
    const stream = new SerialPort({ ...settingsOf(device), autoOpen: false })
    const failed = await new Promise<Error | null>(resolve => stream.open(resolve))
    if (failed !== null) return stayAway(failed.message)
    if (state === 'closed') return await closed(stream)
    const identity = await identityOf(device.path)
    const looking = setInterval(() => {
      void identityOf(device.path).then(found => {
        if (found !== identity) now?.wire.end('the device is gone')
      })
    }, limits.lookMs)
    state = 'open'
    why = null
    log.info({ port, path: device.path }, 'serial device opened')
    const wire = converse({
      name: port, stream, limits, begin,
      release: () => {
        clearInterval(looking)
        released = closed(stream)
      },
      onEnd: (_, because, heard) => {
        now = null
        if (heard) retry.reset()
        if (state !== 'closed') stayAway(because)
      }
    })
    if (state === 'open') now = { stream, wire }
  }

  function stayAway (because: string): void {
    if (state === 'closed') return
    if (why !== because) log.warn({ port, path: device.path }, `serial device is away: ${because}`)
    state = 'away'
    why = because
    retry.later(() => { opening = open() })
  }

  async function close (): Promise<void> {
    state = 'closed'
    retry.stop()
    now?.wire.end('the port is closed')
    await opening
    await released
  }

  let opening = open()
  await opening
  return {
    view: () => ({ port, address: device.path, state, why, wires: now === null ? 0 : 1 }),
    close: () => {
      closing ??= close()
      return closing
    }
  }
}

/** Modem lines are left as they are: a pseudo terminal and many adapters have none. */
const settingsOf = ({ path, baudRate, dataBits = 8, parity = 'none', stopBits = 1 }: SerialDevice) =>
  ({ path, baudRate, dataBits, parity, stopBits })

/** Resolves when the library let go of the device; it complains when the device itself is gone. */
const closed = (stream: SerialPort): Promise<void> =>
  stream.isOpen ? new Promise(resolve => stream.close(() => resolve())) : Promise.resolve()

/** Which device stands behind a name now; null where none does. */
const identityOf = (path: string): Promise<string | null> =>
  stat(path).then(({ dev, ino, rdev }) => `${dev} ${ino} ${rdev}`, () => null)
