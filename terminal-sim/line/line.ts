// The device's end of a cable or of a connection: bytes out, bytes in, both as plain as Node has them and
// without the serial library of the other side. It refuses to know what they mean.
import { constants, openSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { ReadStream } from 'node:tty'

export type Line = {
  /**
   * Resolves when the bytes have left this process; rejects when the line has ended, with
   * {@link LineStuckError} when nobody takes them in time.
   */
  write (bytes: Uint8Array): Promise<void>
  /** The next bytes, as they come; null when nothing came within the time, or the line has ended. */
  read (timeoutMs: number): Promise<Uint8Array | null>
  /** Reads nothing any more, until {@link Line.read} is called again: the other side sees a silent reader. */
  deafen (): void
  readonly ended: boolean
  close (): void
}

/** A cable holds some ten thousand bytes that nobody reads; more of them would be waited for without end. */
export class LineStuckError extends Error {
  constructor (takenMs: number) {
    super(`nobody took the bytes from the line within ${takenMs} ms`)
    this.name = 'LineStuckError'
  }
}

const takenMsMax = 10_000

/** A terminal device, such as one end of a pseudo terminal pair. */
export const openDevice = (path: string): Line => lineOn(deviceStream(path))

/** The same as a stream of Node. */
export const deviceStream = (path: string): Socket =>
  new ReadStream(openSync(path, constants.O_RDWR | constants.O_NOCTTY))

export function connectTo (port: number, host = '127.0.0.1'): Promise<Line> {
  const socket = connect({ port, host, noDelay: true })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () => resolve(lineOn(socket)))
  })
}

/**
 * The same over TLS. Rejects where the other side does not prove itself; that it does not like our
 * certificate it says later, and the line ends.
 */
export function connectSecurely (to: ConnectionOptions): Promise<Line> {
  const socket = connectTls(to)
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('secureConnect', () => resolve(lineOn(socket)))
  })
}

/** Reads from it as from a device. `takenMs`: in which the other side takes what is written. */
export function lineOn (stream: Socket, takenMs = takenMsMax): Line {
  const waiting: Uint8Array[] = []
  let ended = false
  let wake: () => void = () => undefined
  const end = () => {
    ended = true
    wake()
  }
  stream.on('data', (bytes: Buffer) => {
    waiting.push(bytes)
    wake()
  })
  for (const event of ['error', 'end', 'close']) stream.on(event, end)
  return {
    write: bytes => new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new LineStuckError(takenMs)), takenMs)
      stream.write(bytes, error => {
        clearTimeout(timer)
        if (error) reject(error)
        else resolve()
      })
    }),
    read: async timeoutMs => {
      stream.resume()
      if (waiting.length === 0 && !ended) {
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, timeoutMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      const bytes = Buffer.concat(waiting.splice(0))
      return bytes.length === 0 ? null : bytes
    },
    deafen: () => { stream.pause() },
    get ended () { return ended },
    close: () => { stream.destroy() }
  }
}
