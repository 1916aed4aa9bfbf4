// A thousand terminals on one listening port of the gateway, each asking and waiting for its answer, beside a
// bare echo server on the same machine: exchanges per second, the slowest of a hundred, memory per terminal.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { echoFace } from '../../gateway/echo/face.ts'
import { openTcpPort } from '../../gateway/tcp/port.ts'
import { createLog } from '../../runtime/log.ts'

const terminals = 1_000
const exchangesEach = 20
const frame = Buffer.alloc(120, 0x5A)

export async function conversations (): Promise<Record<string, unknown>> {
  const bare = createServer(socket => {
    socket.setNoDelay(true).on('data', bytes => socket.write(bytes)).on('error', () => undefined)
  })
  bare.listen(0, '127.0.0.1')
  await once(bare, 'listening')
  const face = echoFace()
  const port = await openTcpPort({
    port: 'BENCH', address: { port: 0 }, begin: face.begin, random: () => 0.5,
    log: createLog('bench', { level: 'silent' })
  })
  const portNo = Number(/:(\d+)$/.exec(port.view().address)?.[1])
  try {
    const echo = await measure((bare.address() as AddressInfo).port)
    const gateway = await measure(portNo)
    const ratio = gateway.perSecond / echo.perSecond
    const line = (name: string, { perSecond, p99Ms, bytesPerTerminal }: Measured) => console.log(
      `${name.padEnd(20)} ${Math.round(perSecond)} exchanges/s, p99 ${p99Ms.toFixed(1)} ms, ` +
      `${Math.round(bytesPerTerminal / 1024)} KiB a terminal, both ends`)
    line('bare echo server', echo)
    line('port of a gateway', gateway)
    console.log(`ratio ${ratio.toFixed(2)} with ${terminals} terminals`)
    return { terminals, echo, gateway, ratio }
  } finally {
    await port.close()
    bare.close()
  }
}

type Measured = { readonly perSecond: number, readonly p99Ms: number, readonly bytesPerTerminal: number }

async function measure (port: number): Promise<Measured> {
  const before = process.memoryUsage()
  const sockets: Socket[] = []
  for (let one = 0; one < terminals; one++) {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    sockets.push(socket)
  }
  const after = process.memoryUsage()
  const timesMs: number[] = []
  const startMs = performance.now()
  await Promise.all(sockets.map(socket => converse(socket, timesMs)))
  const seconds = (performance.now() - startMs) / 1_000
  for (const socket of sockets) socket.destroy()
  assert.equal(timesMs.length, terminals * exchangesEach, 'each exchange was answered')
  timesMs.sort((one, other) => one - other)
  return {
    perSecond: timesMs.length / seconds,
    p99Ms: timesMs[Math.floor(timesMs.length * 0.99)] ?? 0,
    bytesPerTerminal: Math.max(0, after.rss - before.rss) / terminals
  }
}

async function converse (socket: Socket, timesMs: number[]): Promise<void> {
  for (let exchange = 0; exchange < exchangesEach; exchange++) {
    const startMs = performance.now()
    socket.write(frame)
    for (let got = 0; got < frame.length;) {
      const [bytes] = await once(socket, 'data') as [Buffer]
      assert(frame.subarray(got, got + bytes.length).equals(bytes), 'what comes back is what was sent')
      got += bytes.length
    }
    timesMs.push(performance.now() - startMs)
  }
}
