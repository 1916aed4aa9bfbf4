// The device's end of a wire, however it is said on the command line: a socket, a serial device, or a cable
// of pseudo terminals that is made for it.
import { mkdtempSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deviceStream } from '../line/line.ts'
import { openPtyPair, whyNoPty } from '../line/pty-pair.ts'
import { type Given, type OptionRow, UsageError } from './command-line.ts'

export const wireOptions: Readonly<Record<string, OptionRow>> = {
  tcp: { value: '[HOST:]PORT', says: 'where the gateway listens' },
  device: { value: 'PATH', says: 'a serial device instead' },
  pty: { says: 'a cable of pseudo terminals instead: says what the gateway opens' }
}

/** Throws UsageError where it is not said, or nobody is there. */
export async function openWire (given: Given, say: (line: string) => void, usual?: number): Promise<Socket> {
  const device = given.maybe('device')
  if (device !== null) return deviceStream(device)
  if (given.has('pty')) return await openCable(say)
  const said = given.maybe('tcp') ?? usual
  if (said === undefined) throw new UsageError('where? --tcp PORT, --device PATH or --pty')
  const [port = '', host = '127.0.0.1'] = String(said).split(':').reverse()
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
  if (number < 1 || number > 65_535) throw new UsageError(`--tcp ${said}: PORT or HOST:PORT is wanted`)
  return await connected(host, number)
}

function connected (host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true })
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket))
    socket.once('error', error => reject(new UsageError(
      `nobody answers at ${host}:${port} (${(error as NodeJS.ErrnoException).code ?? error.message})\n` +
      '  npm run sim -- stack  starts a gateway to try; --tcp HOST:PORT says where another one is')))
  })
}

async function openCable (say: (line: string) => void): Promise<Socket> {
  const why = whyNoPty()
  if (why !== null) throw new UsageError(`--pty: ${why}: apt-get install socat`)
  const pair = await openPtyPair(mkdtempSync(join(tmpdir(), 'sim-')), 'cable')
  process.once('exit', () => { void pair.unplug() })
  say(`the gateway's end of the cable: ${pair.near}`)
  return deviceStream(pair.far)
}
