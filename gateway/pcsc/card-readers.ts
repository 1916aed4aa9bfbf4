// All readers of a gateway: a process for each pcscd, none of which can disturb the others. It refuses to
// know what lanes do with them.
import type { Log } from '../../runtime/log.ts'
import type { PcscConfig } from '../../schemas/gateway.ts'
import type { Pcsc } from './port.ts'
import { openReaderChild } from './reader-child.ts'

export type CardReaders = {
  /** By the name in the configuration; absent: the first pcscd. */
  of (pcscd?: string): Pcsc
  /** Times a service or the process that watches it was found dead or silent. */
  failures (): number
  close (): void
}

export type CardReadersOptions = { log: Log, random: () => number, nowMs: () => number }

/** Resolves when all of them watch. Throws when there can be no readers on this machine. */
export async function openCardReaders (
  { socket, others = {}, hungMax }: PcscConfig, options: CardReadersOptions
): Promise<CardReaders> {
  const limits = hungMax === undefined ? {} : { hungMax }
  const opened = await Promise.all([[first, socket] as const, ...Object.entries(others)].map(
    async ([name, at]) => [name, await openReaderChild({ ...options, socket: at, limits })] as const))
  const services = new Map(opened)
  return {
    of: (pcscd = first) => {
      const service = services.get(pcscd)
      if (service === undefined) throw new Error(`configuration: there is no pcscd ${pcscd}`)
      return service
    },
    failures: () => [...services.values()].reduce((sum, service) => sum + service.failures(), 0),
    close: () => { for (const service of services.values()) service.close() }
  }
}

/** No name of the configuration is empty. */
const first = ''

/** A gateway of sockets and serial lines alone runs on a machine that has no pcscd. */
export const noCardReaders: CardReaders = {
  of: () => { throw new Error('configuration: there are no lanes, so there are no readers') },
  failures: () => 0,
  close: () => undefined
}
