// ISO 8583 on a wire: frames in, one answer each, frames out; on a line with ACK and NAK. It refuses to know
// what messages say.
import type { Iso8583Speaks } from '../../schemas/iso8583/config.ts'
import { ack, aliveFrame, cutFrame, type Framing, frameOf, nak } from '../../schemas/iso8583/framing.ts'
import type { EdgeHouse, Face, PortHouse } from '../face.ts'
import type { Conversation, Wire } from '../wire/wire.ts'
import { openBook } from './book.ts'
import { type Host, openHost } from './host.ts'
import { linkOf } from './link.ts'

export const faceLimits = {
  /** Requests of one wire that wait for an answer: more is no terminal. */
  underWayMax: 32,
  /** Broken frames in a row that a wire may send. */
  brokenMax: 10,
  byteGapMs: 500
} as const

export async function iso8583Face (speaks: Iso8583Speaks, house: PortHouse, port: string): Promise<Face> {
  const framing: Framing = { length: speaks.length ?? 'nac', line: speaks.line ?? false }
  const name = `iso8583-${port}`
  const book = await openBook(house.folder(name), house.clock, {}, failure => house.fail(name, failure))
  const host = openHost(speaks, house, book)
  await host.recover()
  const underWay = new Set<Promise<void>>()
  const line = { broken: 0, repeats: 0, lost: 0 }
  let closing = false
  return {
    begin: wire => converse(wire, framing, {
      byteGapMs: speaks.byteGapMs ?? faceLimits.byteGapMs,
      host, line, log: house.log, isClosing: () => closing,
      during: work => {
        underWay.add(work)
        void work.finally(() => underWay.delete(work))
      }
    }),
    view: () => ({ protocol: 'iso8583', counts: { ...host.counts, ...line } }),
    close: async () => {
      closing = true
      await Promise.all(underWay)
      await book.close()
    }
  }
}

type Shared = {
  readonly byteGapMs: number
  readonly host: Host
  readonly line: { broken: number, repeats: number, lost: number }
  readonly log: EdgeHouse['log']
  readonly isClosing: () => boolean
  readonly during: (work: Promise<void>) => void
}

function converse (
  wire: Wire, framing: Framing, { byteGapMs, host, line, log, isClosing, during }: Shared
): Conversation {
  let rest: Uint8Array = new Uint8Array()
  let gap: NodeJS.Timeout | undefined
  let brokenInRow = 0
  let waiting = 0
  const link = linkOf(wire, framing, line)

  async function answer (message: Uint8Array): Promise<void> {
    waiting += 1
    try {
      const answer = await host.answer(message, wire)
      if (answer !== null) await link.send(frameOf(answer, framing))
    } catch (error) {
      log.error({ wire: wire.name, err: error }, 'a request was not answered')
    } finally {
      waiting -= 1
    }
  }

  function took (message: Uint8Array): void {
    brokenInRow = 0
    link.confirm(ack)
    if (isClosing()) return
    if (waiting >= faceLimits.underWayMax) wire.end(`${waiting} requests wait for an answer`)
    else during(answer(message.slice()))
  }

  function broke (why: string): void {
    line.broken += 1
    brokenInRow += 1
    log.warn({ wire: wire.name, why }, 'a broken frame')
    if (!framing.line || brokenInRow >= faceLimits.brokenMax) wire.end(`broken frame: ${why}`)
    else link.confirm(nak)
  }

  return {
    bytes: bytes => {
      clearTimeout(gap)
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      for (let found = cutFrame(rest, framing); found !== null; found = cutFrame(rest, framing)) {
        rest = found.rest
        const { cut } = found
        if (cut.kind === 'message') took(cut.message)
        else if (cut.kind === 'broken') broke(cut.why)
        else if (cut.kind === 'alive') void wire.write(aliveFrame(framing.length)).catch(() => undefined)
        else link.heard(cut.kind)
      }
      rest = rest.slice()
      if (!framing.line || rest.length === 0) return
      gap = setTimeout(() => {
        rest = new Uint8Array()
        broke(`it stands still for ${byteGapMs} ms`)
      }, byteGapMs)
    },
    ended: () => {
      clearTimeout(gap)
      link.end()
    }
  }
}
