// The line between the gateway of a scenario and the ledger: it leads to where the ledger is now, can be cut
// and mended, and can lose an answer. Of what is said on it, it knows the first line of a request.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Link = {
  /** What the gateway is told as the ledger's place, for as long as the scenario runs. */
  readonly url: string
  readonly isCut: () => boolean
  /** Whoever is connected is cut off, and nobody gets through. */
  cut (): void
  mend (): void
  /**
   * The next answer to a request that begins so (POST /v1/loads) does not arrive: the ledger has given it,
   * and who asked is cut off instead.
   */
  loseAnswer (request: string): void
  /** What was to be lost and has not been given yet; null: nothing. */
  readonly unlost: () => string | null
  close (): void
}

/** `target`: the ledger's place at the moment, which changes when it is started again. */
export async function openLink (target: () => string): Promise<Link> {
  const sockets = new Set<Socket>()
  let cut = false
  let losing: string | null = null
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
    }
    // A client asks once more on a connection only when it has its answer.
    let asked = ''
    near.on('data', bytes => {
      asked = /^[A-Z]+ \/\S*(?= HTTP)/.exec(bytes.toString('latin1'))?.[0] ?? asked
      far.write(bytes)
    })
    far.on('data', bytes => {
      if (asked !== losing) return near.write(bytes)
      losing = null
      return near.destroy()
    })
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
    loseAnswer: request => { losing = request },
    unlost: () => losing,
    close: () => {
      server.close()
      destroyAll()
    }
  }
}
