// What a conversation over a cable or a socket is to those who speak over it: bytes in order, bounded in both
// directions, and an end that is always told. It refuses to know what the bytes mean and which device library
// carries them.

/** One conversation: from a device that was opened, or a peer that connected, until its end. */
export type Wire = {
  /** For logs, tapes and metrics: `POS-1` of a serial port, `SC-3 192.0.2.7:51234` of a connection. */
  readonly name: string
  /** SHA-256 of the certificate that the peer has proven to be its own; null where it showed none. */
  readonly certificate: string | null
  /**
   * In the order of the calls; resolves when the bytes have left this process. Rejects with
   * {@link WireEndedError} where the wire has ended, or the peer took nothing for the write deadline: then
   * the wire ends, because what a peer has not read can only pile up.
   */
  write (bytes: Uint8Array): Promise<void>
  /** Ends the conversation; `why` is told to the listener and the log. Repeating it changes nothing. */
  end (why: string): void
}

/** What is spoken over one wire. Neither call may throw: that is a bug, and ends the process. */
export type Conversation = {
  /** Bytes as they came: half a frame, one, or several glued together. */
  bytes (bytes: Uint8Array): void
  /** Once, last; nothing can be written any more. */
  ended (why: string): void
}

export class WireEndedError extends Error {
  constructor (name: string, why: string) {
    super(`${name}: ${why}`)
    this.name = 'WireEndedError'
  }
}

/**
 * A serial device that comes and goes, or a listening socket. Each opening, each connection is a new
 * conversation; the port itself stays until it is closed.
 */
export type Port = {
  view (): PortView
  /** Takes no new conversation, ends those there are, gives the device back. */
  close (): Promise<void>
}

export type PortView = {
  readonly port: string
  /** The device, or the address that is listened on: with the port that was found where any was asked for. */
  readonly address: string
  /** `away`: the device is not there, or the address is taken; it is tried again. */
  readonly state: 'open' | 'away' | 'closed'
  readonly why: string | null
  /** Conversations under way. */
  readonly wires: number
  /** What became of those that never began, by name. */
  readonly counts?: Readonly<Record<string, number>>
}
