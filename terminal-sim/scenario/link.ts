// The line between the gateway of a scenario and the ledger: it leads to where the ledger is now, and can be
// cut and mended. It refuses to know what is said on it.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Link = {
  /** What the gateway is told as the ledger's place, for as long as the scenario runs. */
  readonly url: string
  readonly isCut: () => boolean
  /** Whoever is connected is cut off, and nobody gets through. */
  cut (): void
  mend (): void
  close (): void
}

/** `target`: the ledger's place at the moment, which changes when it is started again. */
export async function openLink (target: () => string): Promise<Link> {
  const sockets = new Set<Socket>()
  let cut = false
  const server = createServer(near => {
    if (cut) {
      near.destroy()
      return
    }
    const { hostname, port } = new URL(target())
    const far = connect(Number(port), hostname)
    for (const [one, other] of [[near, far], [far, near]] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy()).on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.on('data', bytes => other.write(bytes))
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isCut: () => cut,
    cut: () => {
      cut = true
      destroyAll()
    },
    mend: () => { cut = false },
    close: () => {
      server.close()
      destroyAll()
    }
  }
}
