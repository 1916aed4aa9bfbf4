// What every face speaks over: a serial line through real pseudo terminals and a listening socket. Any byte
// passes, a peer that does not read is ended, what vanishes comes back, and an end is told once.
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { openSerialPort } from '../gateway/serial/port.ts'
import { openTcpPort } from '../gateway/tcp/port.ts'
import { type Port, type Wire, WireEndedError } from '../gateway/wire/wire.ts'
import type { TcpAddress } from '../schemas/port.ts'
import { type Line, connectTo, openDevice } from '../terminal-sim/line/line.ts'
import { openPtyPair, whyNoPty } from '../terminal-sim/line/pty-pair.ts'

t.jobs = 6
const why = whyNoPty()
const withPty = () => ({ skip: why ?? false, buffered: true })
const log = pino({ level: 'silent' })
const soon = { backoffMs: 10, backoffMaxMs: 20, writeDeadlineMs: 300, lookMs: 50 }
const everyByte = Uint8Array.from({ length: 256 }, (_, value) => value)

/** A face that only remembers. */
function listener () {
  const wires: Wire[] = []
  const ends: string[] = []
  let heard = Buffer.alloc(0)
  const begin = (wire: Wire) => {
    wires.push(wire)
    return {
      bytes: (bytes: Uint8Array) => { heard = Buffer.concat([heard, bytes]) },
      ended: (why: string) => { ends.push(why) }
    }
  }
  return { begin, wires, ends, heard: () => heard, last: () => wires.at(-1) as Wire }
}

async function until (what: () => boolean, name: string): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (!what()) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain: ${name}`)
    await delay(5)
  }
}

async function readAll (line: Line, count: number): Promise<Buffer> {
  let all = Buffer.alloc(0)
  while (all.length < count) {
    const bytes = await line.read(10_000)
    if (bytes === null) break
    all = Buffer.concat([all, bytes])
  }
  return all
}

async function cable (t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'wire-'))
  const pair = await openPtyPair(dir, 'line')
  t.teardown(async () => {
    await pair.unplug()
    rmSync(dir, { recursive: true, force: true })
  })
  return pair
}

async function serialPort (t: Test, path: string, limits = {}) {
  const face = listener()
  const port = await openSerialPort({
    port: 'POS-1', device: { path, baudRate: 9_600 }, begin: face.begin, random: () => 0.5, log,
    limits: { ...soon, ...limits }
  })
  t.teardown(port.close)
  return { port, ...face }
}

t.test('serial: every byte value passes both ways, in order', withPty(), async t => {
  const { near, far } = await cable(t)
  const { port, heard, last } = await serialPort(t, near)
  const device = openDevice(far)
  t.match(port.view(), { port: 'POS-1', address: near, state: 'open', why: null, wires: 1 })
  for (const byte of everyByte) await device.write(Uint8Array.of(byte))
  await device.write(Buffer.concat([everyByte, everyByte]))
  await until(() => heard().length === 768, 'all bytes')
  t.same(heard(), Buffer.concat([everyByte, everyByte, everyByte]))
  await Promise.all([last().write(everyByte), last().write(everyByte)])
  t.same(await readAll(device, 512), Buffer.concat([everyByte, everyByte]))
  device.close()
})

t.test('serial: a device that vanishes ends its conversation and comes back', withPty(), async t => {
  const pair = await cable(t)
  const { port, wires, ends, heard, last } = await serialPort(t, pair.near)
  await pair.unplug()
  await until(() => ends.length > 0, 'the end')
  t.equal(port.view().state, 'away')
  await t.rejects(last().write(everyByte), { name: 'WireEndedError' })
  last().end('a second end changes nothing')
  await delay(60) // some tries in vain
  t.match(port.view(), { state: 'away', why: /No such file/, wires: 0 })
  t.equal(ends.length, 1)
  await pair.plug()
  await until(() => port.view().state === 'open', 'the device again')
  t.equal(wires.length, 2)
  const device = openDevice(pair.far)
  await device.write(everyByte)
  await until(() => heard().length === 256, 'bytes of the second conversation')
  t.equal(ends.length, 1)
  device.close()
})

t.test('serial: a device that is not there yet is waited for', withPty(), async t => {
  const pair = await cable(t)
  await pair.unplug()
  const { port } = await serialPort(t, pair.near)
  t.match(port.view(), { state: 'away', why: /No such file/, wires: 0 })
  await pair.plug()
  await until(() => port.view().state === 'open', 'the device')
})

t.test('serial: a device that does not read is ended, and its queue is bounded', withPty(), async t => {
  const { near, far } = await cable(t)
  const { ends, wires, last } = await serialPort(t, near)
  const device = openDevice(far)
  device.deafen()
  const page = new Uint8Array(64 * 1024)
  const refused = await last().write(page).then(() => null, (error: unknown) => error)
  t.ok(refused instanceof WireEndedError)
  t.match(ends, [/does not read: took nothing for 300 ms/])
  await until(() => wires.length === 2, 'the device opened again')
  const sent = Array.from({ length: 5 }, () => last().write(page).then(() => 'sent', () => 'refused'))
  t.match(ends[1], /bytes wait for it already/)
  t.same(await Promise.all(sent), Array.from({ length: 5 }, () => 'refused'))
  device.close()
})

t.test('serial: a closed port gave the device back', withPty(), async t => {
  const { near } = await cable(t)
  const first = await serialPort(t, near)
  await Promise.all([first.port.close(), first.port.close()])
  t.match(first.port.view(), { state: 'closed', wires: 0 })
  t.same(first.ends, ['the port is closed'])
  const second = await serialPort(t, near)
  t.equal(second.port.view().state, 'open', 'at the first try')
})

async function tcpPort (t: Test, address: Partial<TcpAddress> = {}, limits = {}) {
  const face = listener()
  const port = await openTcpPort({
    port: 'SC', address: { port: 0, ...address }, begin: face.begin, random: () => 0.5, log,
    limits: { ...soon, ...limits }
  })
  t.teardown(port.close)
  return { port, number: numberOf(port), ...face }
}
const numberOf = (port: Port) => Number(port.view().address.split(':').at(-1))

t.test('tcp: a connection is a conversation with a name of its own', async t => {
  const { port, number, wires, ends, heard, last } = await tcpPort(t)
  const peer = await connectTo(number)
  await peer.write(everyByte)
  await until(() => heard().length === 256, 'bytes')
  await last().write(everyByte)
  t.same(await readAll(peer, 256), Buffer.from(everyByte))
  t.match(last().name, /^SC 127\.0\.0\.1:\d+$/)
  const other = await connectTo(number)
  await until(() => wires.length === 2, 'the second')
  t.not(wires[0]?.name, wires[1]?.name)
  t.equal(port.view().wires, 2)
  peer.close()
  await until(() => ends.length === 1, 'the end')
  t.equal(port.view().wires, 1)
  await port.close()
  t.equal(await other.read(5_000), null)
  t.same(ends.slice(1), ['the port is closed'])
  await t.rejects(connectTo(number), { code: 'ECONNREFUSED' })
})

t.test('tcp: connections are bounded in all and by peer', async t => {
  const few = await tcpPort(t, { connectionsMax: 2 })
  const peers = [await connectTo(few.number), await connectTo(few.number), await connectTo(few.number)]
  t.equal(await peers[2]?.read(5_000), null)
  t.ok(peers[2]?.ended, 'the third was refused')
  peers[0]?.close()
  await until(() => few.port.view().wires === 1, 'a place')
  const later = await connectTo(few.number)
  await until(() => few.port.view().wires === 2, 'the place taken')
  const perPeer = await tcpPort(t, { perPeerMax: 1 })
  const [first, second] = [await connectTo(perPeer.number), await connectTo(perPeer.number)]
  t.equal(await second.read(5_000), null)
  t.ok(second.ended)
  t.notOk(first.ended)
  for (const line of [...peers, later, first]) line.close()
})

t.test('tcp: half-open and silent peers are ended; one that speaks stays', async t => {
  const { number, ends, port, last, wires } = await tcpPort(t, {}, { idleMs: 400 })
  const talker = await connectTo(number)
  await until(() => wires.length === 1, 'the talker')
  const silent = await connectTo(number)
  const talking = setInterval(() => { void talker.write(Uint8Array.of(0)) }, 50)
  // What is sent to it does not count as its own word.
  const asking = setInterval(() => { void last().write(Uint8Array.of(1)).catch(() => undefined) }, 50)
  await until(() => ends.length === 1, 'the silent one')
  await delay(600)
  t.same(ends, ['said nothing for 400 ms'])
  t.equal(port.view().wires, 1)
  clearInterval(talking)
  clearInterval(asking)
  for (const line of [talker, silent]) line.close()
})

t.test('tcp: a peer that does not read is ended; others are served', async t => {
  const { number, ends, last, wires } = await tcpPort(t)
  const deaf = await connectTo(number)
  deaf.deafen()
  await until(() => wires.length === 1, 'the deaf one')
  const page = new Uint8Array(64 * 1024)
  const writing = last()
  for (let sent = 0; sent < 1_000 && ends.length === 0; sent++) {
    await writing.write(page).catch(() => undefined)
  }
  t.match(ends, [/does not read/])
  const other = await connectTo(number)
  await until(() => wires.length === 2, 'another')
  await last().write(everyByte)
  t.same(await readAll(other, 256), Buffer.from(everyByte))
  for (const line of [deaf, other]) line.close()
})

t.test('tcp: an address that is taken is tried again', async t => {
  const squatter = createServer()
  await new Promise<void>(resolve => squatter.listen(0, '127.0.0.1', resolve))
  const { port: number } = squatter.address() as AddressInfo
  const { port } = await tcpPort(t, { port: number })
  t.match(port.view(), { state: 'away', why: /EADDRINUSE/ })
  await new Promise(resolve => squatter.close(resolve))
  await until(() => port.view().state === 'open', 'the address')
})

t.test('a conversation may end its wire before it has begun', async t => {
  const ends: string[] = []
  const port = await openTcpPort({
    port: 'SC', address: { port: 0 }, random: () => 0.5, log,
    begin: wire => {
      wire.end('not today')
      return { bytes: () => t.fail('nothing is heard after the end'), ended: why => ends.push(why) }
    }
  })
  t.teardown(port.close)
  const peer = await connectTo(numberOf(port))
  t.equal(await peer.read(5_000), null)
  t.same(ends, ['not today'])
  t.equal(port.view().wires, 0)
})
