// What everybody in a soak shares: the gateway's door, chance, a tally, and the roads to its ports:
// connections, and cables that can be pulled. It refuses to know what is spoken.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { type Socket, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { PortState } from '../../schemas/port.ts'
import { type Line, connectTo, deviceStream, openDevice } from '../../terminal-sim/line/line.ts'
import type { PtyPair } from '../../terminal-sim/line/pty-pair.ts'
import type { Random } from '../../terminal-sim/random.ts'

export type Place = {
  /** Of the gateway. */
  readonly url: string
  readonly random: Random
  count (what: string): void
}

/** What a deed is followed by, so that an hour takes little of the machine. */
export const pauseMs = 1_000

export const ask = async <T>(url: string, path: string): Promise<T> =>
  JSON.parse(await called('GET', url + path)) as T
export const post = async (url: string, path: string, body: unknown): Promise<void> => {
  await called('POST', url + path, JSON.stringify(body))
}
export const page = (url: string, path: string): Promise<string> => called('GET', url + path)

/** Each on a connection of its own: one that is kept may end just when it is used again. */
function called (method: string, url: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const asked = request(url, { method, headers, agent: false }, reply => {
      let text = ''
      reply.setEncoding('utf8').on('data', (part: string) => { text += part })
      reply.on('end', () => resolve(text)).on('error', reject)
    })
    asked.on('error', reject).end(body)
  })
}

const untilMs = 180_000
export async function until (what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + untilMs
  while (!await isSo()) {
    assert(performance.now() < endMs, `waited in vain: ${what}`)
    await delay(50)
  }
}

/** The way of a terminal to its port. */
export type Road = {
  stream (): Promise<Socket>
  line (): Promise<Line>
  /** Both ends vanish and come back; resolves when the gateway has opened its own again. */
  pull (): Promise<void>
}

export const portOf = async ({ url }: Place, name: string): Promise<PortState> => {
  const found = (await ask<PortState[]>(url, '/v1/ports')).find(({ port }) => port === name)
  assert(found !== undefined, `no port ${name}`)
  return found
}

export async function socketRoad (place: Place, port: string): Promise<Road> {
  const number = Number(/:(\d+)$/.exec((await portOf(place, port)).address)?.[1])
  return {
    stream: async () => {
      const socket = connect({ port: number, host: '127.0.0.1', noDelay: true })
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      return socket
    },
    line: () => connectTo(number),
    pull: async () => undefined
  }
}

export const cableRoad = (place: Place, port: string, cable: PtyPair): Road => ({
  stream: async () => deviceStream(cable.far).on('error', () => undefined),
  line: async () => openDevice(cable.far),
  pull: async () => {
    const isOpen = async () => (await portOf(place, port)).state === 'open'
    await cable.unplug()
    await until(`${port} sees that its cable is gone`, async () => !await isOpen())
    await cable.plug()
    await until(`${port} is open again`, isOpen)
    place.count('cables pulled')
  }
})
