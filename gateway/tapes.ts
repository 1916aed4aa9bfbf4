// What is said on wires, written down while somebody wants to see it: one JSON line for each message, masked
// by its own protocol before it is written, in files that take turns. It refuses to know protocols.
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../runtime/clock.ts'
import { formatIso } from '../runtime/instants.ts'
import type { Log } from '../runtime/log.ts'
import type { TapeView } from '../schemas/tape.ts'
import type { Face } from './face.ts'

/**
 * Cuts what passes in one direction of one conversation into messages; each says itself without what nobody
 * may read, before the next bytes come or never. Bytes of a message that is not whole yet stay inside.
 */
export type Masker = (bytes: Uint8Array) => (() => string)[]
/** One for each direction of each conversation; null where a protocol has none: then lengths are told. */
export type MaskerMaker = (() => Masker) | null

/** Bytes as they come, cut into what is said; `cut` is given all that is left, and says null to wait. */
export function bytesCutter (
  cut: (bytes: Uint8Array) => { readonly said: () => string, readonly rest: Uint8Array } | null
): Masker {
  let rest: Uint8Array = new Uint8Array()
  return bytes => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    const said: (() => string)[] = []
    for (let found = rest.length === 0 ? null : cut(rest); found !== null;) {
      said.push(found.said)
      rest = found.rest
      found = rest.length === 0 ? null : cut(rest)
    }
    rest = Uint8Array.from(rest) // the carrier may use its memory again
    return said
  }
}

export type Tapes = {
  /** The face with its traffic on tape whenever that is switched on for its port. */
  taped (port: string, face: Face, masker: MaskerMaker): Face
  /** What was said at a place that is no port, already masked; `device` says where there. */
  teller (place: string): (device: string, way: 'in' | 'out' | 'end', said: string) => void
  /** For so many seconds; 0 switches it off. False where no such port is taped. */
  record (port: string, seconds: number): boolean
  view (): TapeView[]
}
export type TapeLimits = { readonly fileBytesMax: number, readonly files: number }
export const tapeLimits: TapeLimits = { fileBytesMax: 8 * 1_024 * 1_024, files: 4 }

type Reel = { untilMs: number, lines: number, dropped: number }

export function openTapes (
  { dir, clock, log, limits = tapeLimits }: {
    dir: string, clock: Clock, log: Log, limits?: TapeLimits
  }
): Tapes {
  const reels = new Map<string, Reel>()
  const path = (port: string, number: number): string =>
    join(dir, `${port}${number === 0 ? '' : `.${number}`}.jsonl`)

  function write (port: string, reel: Reel, line: object): void {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 })
      turn(port)
      appendFileSync(path(port, 0), JSON.stringify(line) + '\n', { mode: 0o600 })
      reel.lines += 1
    } catch (error) {
      // A full disk stops the tape, never the terminal.
      reel.dropped += 1
      if (reel.dropped === 1) log.error({ err: error, port }, 'the tape cannot be written')
    }
  }
  function turn (port: string): void {
    if (!existsSync(path(port, 0)) || statSync(path(port, 0)).size < limits.fileBytesMax) return
    rmSync(path(port, limits.files - 1), { force: true })
    for (let number = limits.files - 2; number >= 0; number--) {
      if (existsSync(path(port, number))) renameSync(path(port, number), path(port, number + 1))
    }
  }

  function taped (port: string, face: Face, masker: MaskerMaker): Face {
    const reel: Reel = { untilMs: 0, lines: 0, dropped: 0 }
    reels.set(port, reel)
    const lengths = (): Masker => bytes => [() => `(${bytes.length} bytes)`]
    const make = masker ?? lengths
    return {
      ...face,
      begin: wire => {
        const masks = { in: make(), out: make() }
        const tell = (way: 'in' | 'out', bytes: Uint8Array): void => {
          // Masks see all bytes, also while nothing is written: a tape that begins in the middle of a message
          // must not take its rest for one. But none is masked for nobody: that cost a purchase of ISO 8583
          // a fifteenth of its processor time.
          const said = masks[way](bytes)
          const nowMs = clock.now()
          if (nowMs >= reel.untilMs) return
          const at = formatIso(nowMs)
          for (const say of said) write(port, reel, { at, device: wire.name, way, said: say() })
        }
        const talk = face.begin({
          name: wire.name,
          certificate: wire.certificate,
          end: why => wire.end(why),
          // The very promise of the wire, which nobody needs to wait for: another one, rejected where a
          // cable is pulled and nobody waits, ended the gateway.
          write: bytes => {
            tell('out', bytes)
            return wire.write(bytes)
          }
        })
        return {
          bytes: bytes => {
            tell('in', bytes)
            talk.bytes(bytes)
          },
          ended: why => {
            const nowMs = clock.now()
            if (nowMs < reel.untilMs) {
              write(port, reel, { at: formatIso(nowMs), device: wire.name, way: 'end', said: why })
            }
            talk.ended(why)
          }
        }
      }
    }
  }
  return {
    taped,
    teller: place => {
      const reel: Reel = { untilMs: 0, lines: 0, dropped: 0 }
      reels.set(place, reel)
      return (device, way, said) => {
        const nowMs = clock.now()
        if (nowMs < reel.untilMs) write(place, reel, { at: formatIso(nowMs), device, way, said })
      }
    },
    record: (port, seconds) => {
      const reel = reels.get(port)
      if (reel === undefined) return false
      reel.untilMs = seconds === 0 ? 0 : clock.now() + seconds * 1_000
      log.info({ port, seconds }, 'tape')
      return true
    },
    view: () => [...reels].map(([port, { untilMs, lines, dropped }]) => ({
      port, until: untilMs > clock.now() ? formatIso(untilMs) : null, lines, dropped, file: path(port, 0)
    }))
  }
}
