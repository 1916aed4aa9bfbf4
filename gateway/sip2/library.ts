// Whoever answers for a library: our own ledger, or the system in which the library keeps its readers and
// books. A new kind of system is one more implementation of this. It refuses to know wires of terminals.
import type { Message, Said } from '../../schemas/sip2/message.ts'

export type Question = {
  readonly message: Message
  /** Number of the terminal at the library, where one has signed in. */
  readonly terminal: string | null
  /** Of a fee that is paid: names it for good. */
  readonly transaction: string
}

/**
 * `away`: nobody can be asked now and nothing has happened, or it does not matter. `unknown`: money may have
 * moved; the same question with the same transaction finds out, so the terminal is told nothing.
 */
export type Answered = Said | 'away' | 'unknown'

export type LibrarySystem = {
  answer (question: Question): Promise<Answered>
  isThere (): Promise<boolean>
  close (): void | Promise<void>
}
