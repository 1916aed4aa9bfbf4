// What a virtual reader knows of the chip in it: its ATR, that power goes away, that it answers a command.
// It refuses to know whether the chip is a purse, a PSAM or a script.

/**
 * Power while one command is processed. Cut before the chip commits, nothing has happened; cut after it, the
 * command has taken effect and its answer is lost.
 */
export type Power = 'steady' | 'cut_before_commit' | 'cut_after_commit'

export type Chip = {
  readonly atr: Uint8Array
  /** Power was off, or the reader asked for a reset: what is volatile is gone. */
  reset (): void
  /**
   * The answer with its status word, or null where power was cut. Never throws on what a command contains.
   */
  transmit (command: Uint8Array, power: Power): Uint8Array | null
}
