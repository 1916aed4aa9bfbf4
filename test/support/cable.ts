// The cable between a gateway and the ledger: a TCP proxy that can be cut, or let one chosen call die at a
// chosen point of its request or its answer. It refuses to know what is asked.
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

/** Where a call dies; `silence`: the line stays open and nothing comes back. */
export const breakPoints = [
  'before the request', 'inside the request', 'before the answer', 'inside the answer', 'silence'
] as const
export type BreakPoint = typeof breakPoints[number]

export type Cable = {
  readonly url: string
  /** The ledger is away: nobody answers at its address, and who is connected is cut off. */
  cut (): Promise<void>
  mend (): Promise<void>
  /** The next call of this path, such as `POST /v1/records`, dies there; resolves when it has. */
  breakNext (call: string, point: BreakPoint): Promise<void>
  close (): Promise<void>
}

type Armed = { readonly call: string, readonly point: BreakPoint, struck (): void }

export async function cableTo (target: string): Promise<Cable> {
  const { hostname, port: targetPort } = new URL(target)
  const sockets = new Set<Socket>()
  let armed: Armed | null = null

  function carry (near: Socket): void {
    const far = connect(Number(targetPort), hostname)
    let breaking: BreakPoint | null = null
    const end = () => {
      for (const one of [near, far]) {
        one.destroy()
        sockets.delete(one)
      }
    }
    for (const one of [near, far]) {
      sockets.add(one)
      one.on('error', end).on('close', end)
    }
    near.on('data', bytes => {
      if (armed !== null && bytes.toString('latin1').startsWith(armed.call)) {
        breaking = armed.point
        armed.struck()
        armed = null
      }
      if (breaking === 'before the request') return end()
      if (breaking === 'inside the request') return far.write(half(bytes), end)
      far.write(bytes)
    })
    far.on('data', bytes => {
      if (breaking === 'silence') return
      if (breaking === 'before the answer') return end()
      if (breaking === 'inside the answer') return near.write(half(bytes), end)
      near.write(bytes)
    })
  }

  let server = createServer(carry)
  const listen = (port: number) => new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const cut = () => new Promise<void>(resolve => {
    server.close(() => resolve())
    for (const socket of sockets) socket.destroy()
  })
  return {
    url: `http://127.0.0.1:${port}`,
    cut,
    mend: async () => {
      server = createServer(carry)
      await listen(port)
    },
    breakNext: (call, point) => new Promise(resolve => { armed = { call, point, struck: resolve } }),
    close: async () => { if (server.listening) await cut() }
  }
}

const half = (bytes: Buffer): Buffer => bytes.subarray(0, Math.floor(bytes.length / 2))
