// All readers of a gateway: a process for each pcscd, none of which can disturb the others; or, for one lane
// that has nobody to disturb, the process of the gateway. It refuses to know what lanes do with them.
import type { Log } from '../../runtime/log.ts'
import type { GatewayConfig, PcscConfig } from '../../schemas/gateway.ts'
import { type Pcsc, openPcsc } from './port.ts'
import { childLimits, openReaderChild, verdictOn } from './reader-child.ts'

export type CardReaders = {
  /** By the name in the configuration; absent: the first pcscd. */
  of (pcscd?: string): Pcsc
  /** Times a service or the process that watches it was found dead or silent. */
  failures (): number
  /** Resolves when only a new process of the gateway has readers again. */
  readonly failed: Promise<Error>
  close (): void
}

export type CardReadersOptions = { log: Log, random: () => number, nowMs: () => number }

/**
 * Five ways between two processes cost a purchase 1.2 ms (two flushes and 0.44 ms with readers here, two and
 * 1.6 apart). That is worth it where others are served, whom a hanging chip must not reach.
 */
export const placeOfReaders = (
  { lanes, ports = [], pcsc = {} }: Pick<GatewayConfig, 'lanes' | 'ports' | 'pcsc'>
): NonNullable<PcscConfig['process']> => {
  const isAlone = lanes.length === 1 && ports.length === 0 && pcsc.others === undefined
  return pcsc.process ?? (isAlone ? 'here' : 'apart')
}

/**
 * In processes of their own unless told. Resolves when all of them watch. Throws when there can be no readers
 * on this machine.
 */
export async function openCardReaders (
  pcsc: PcscConfig, options: CardReadersOptions, place: PcscConfig['process'] = 'apart'
): Promise<CardReaders> {
  return place === 'here' ? await openHere(pcsc, options) : await openApart(pcsc, options)
}

async function openApart (
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
    failed: never,
    close: () => { for (const service of services.values()) service.close() }
  }
}

/** No name of the configuration is empty. */
const first = ''
const never = new Promise<Error>(() => undefined)

async function openHere (
  { socket, hungMax = childLimits.hungMax }: PcscConfig, options: CardReadersOptions
): Promise<CardReaders> {
  // libpcsclite reads it once, when it is first asked for anything.
  if (socket !== undefined) process.env['PCSCLITE_CSOCK_NAME'] = socket
  const pcsc = await openPcsc(options)
  let look: NodeJS.Timeout | undefined
  const failed = new Promise<Error>(resolve => {
    look = setInterval(() => {
      const why = verdictOn({ unanswered: 0, hung: pcsc.hung() }, { ...childLimits, hungMax })
      if (why !== null) resolve(new Error(why))
    }, childLimits.askEveryMs)
  })
  return {
    of: () => pcsc,
    failures: pcsc.failures,
    failed,
    close: () => {
      clearInterval(look)
      // An orderly exit would wait for a thread that hangs in a chip; all else is closed and on disk by now.
      if (pcsc.hung() > 0) process.kill(process.pid, 'SIGKILL')
      pcsc.close()
    }
  }
}

/** A gateway of sockets and serial lines alone runs on a machine that has no pcscd. */
export const noCardReaders: CardReaders = {
  of: () => { throw new Error('configuration: there are no lanes, so there are no readers') },
  failures: () => 0,
  failed: never,
  close: () => undefined
}
