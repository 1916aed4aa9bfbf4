// What every kind of device that speaks over a wire has in common: a face takes conversations, and ends in
// the same records, requests and three outcomes as a card on a reader. It refuses to know protocols.
import type { Clock } from '../runtime/clock.ts'
import type { HttpClient } from '../runtime/http-client.ts'
import type { Log } from '../runtime/log.ts'
import type { EnrolledTerminal } from '../schemas/terminals.ts'
import type { MasterKey } from '../schemas/wrapped-key.ts'
import type { Codes } from './codes/codes.ts'
import type { Desk } from './desk.ts'
import type { ChangeBook } from './polled/change-book.ts'
import type { FileLayer } from './spool/files.ts'
import type { Spool } from './spool/spool.ts'
import type { Terminals } from './terminals/terminals.ts'
import type { Parameters } from './uplink/parameters.ts'
import type { Guard } from './wire/guard.ts'
import type { Conversation, Wire } from './wire/wire.ts'

/** What all faces of a gateway share. */
export type EdgeHouse = {
  /** History: what a chip has done. `spool.collect` before a device hears that its record is kept. */
  readonly spool: Spool
  /** Requests: what the ledger is asked to allow. */
  readonly desk: Desk
  /** Codes of phones: verified here, each once, on disk before a device hears that one was taken. */
  readonly codes: Pick<Codes, 'take' | 'again'>
  /** The ledger's other doors, for services that have some. */
  readonly http: Pick<HttpClient, 'get' | 'post' | 'put'>
  readonly parameters: Parameters
  /** The blacklist as numbered changes, for terminals that are told what they missed. */
  readonly changes: ChangeBook
  /** Who may be served, and who was heard. */
  readonly terminals: Terminals
  readonly clock: Clock
  /** A clock that only runs forward, in milliseconds, for deadlines. */
  readonly nowMs: () => number
  /** Chance, 0 <= x < 1. */
  readonly random: () => number
  /** An id never used before, of 8 to 40 letters, digits and hyphens. */
  readonly newId: () => string
  /** Bytes nobody can guess: working keys. */
  readonly randomBytes: (length: number) => Uint8Array
  /** A folder of its own inside the gateway's, for what a face must not forget. */
  readonly folder: (name: string) => FileLayer
  /** Nothing can be kept in that folder any more: only a new process can tell what is on disk. */
  readonly fail: (folder: string, failure: Error) => void
  /** The master key of a terminal, as it was enrolled or from the key file; null where there is none. */
  readonly masterKey: (terminal: EnrolledTerminal) => MasterKey | null
  readonly log: Log
}

/** What a face gets: the house, and what the peers of its port may do. */
export type PortHouse = EdgeHouse & { readonly guard: Guard }

/** One protocol on one port. */
export type Face = {
  /** A peer is there; what it says goes to the conversation. */
  begin (wire: Wire): Conversation
  view (): FaceView
  /** Begins nothing new; resolves when nothing is under way any more. Nothing that was promised is lost. */
  close (): Promise<void>
}

export type FaceView = {
  readonly protocol: string
  /** Frames, exchanges and errors since the start, by name: what an operator looks at first. */
  readonly counts: Readonly<Record<string, number>>
}
