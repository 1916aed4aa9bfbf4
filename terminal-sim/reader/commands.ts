// What the process of the farm is asked and answers, one row per command. It refuses to know how a message
// travels and how a command is carried out.

import type { CardDescription, CardReport } from '../card/description.ts'
import type { PsamDescription, PsamReport } from '../psam/description.ts'
import type { SsseDescription, SsseReport } from '../ssse/description.ts'
import type { ScriptDescription } from './scripted-chip.ts'
import type { Delays, Fault } from './fault.ts'

/** A pair of slots: `NAME 00 00` takes cards, `NAME 00 01` holds the PSAM. */
export type Pair = { readonly name: string }

export type FarmSetup = { dir: string, pairs: readonly Pair[], seed: string }

/** Chips are named by the asker; a reader by its full PC/SC name. */
export type Commands = {
  createCard: { ask: { chip: string, card: CardDescription }, reply: void }
  createPsam: { ask: { chip: string, psam: PsamDescription }, reply: void }
  createSsse: { ask: { chip: string, ssse: SsseDescription }, reply: void }
  createScript: { ask: { chip: string, script: ScriptDescription }, reply: void }
  /** Answers when the driver has read the ATR. */
  insert: { ask: { chip: string, reader: string }, reply: void }
  remove: { ask: { reader: string }, reply: void }
  occupants: { ask: Record<string, never>, reply: Record<string, string | null> }
  arm: { ask: { chip: string, fault: Fault }, reply: void }
  disarm: { ask: { chip: string }, reply: void }
  /** Answers when no armed fault is left waiting on this chip. */
  faultsStruck: { ask: { chip: string }, reply: void }
  setDelays: { ask: { chip: string, delays: Delays }, reply: void }
  /** The true state of a card, whatever any terminal believes. */
  inspectCard: { ask: { chip: string }, reply: CardReport }
  inspectPsam: { ask: { chip: string }, reply: PsamReport }
  inspectSsse: { ask: { chip: string }, reply: SsseReport }
  /** The last exchanges at the slot, oldest first. */
  exchanges: { ask: { chip: string }, reply: ExchangeText[] }
  killPcscd: { ask: Record<string, never>, reply: void }
  startPcscd: { ask: Record<string, never>, reply: void }
  health: { ask: Record<string, never>, reply: Health }
  /** All chips to a file, readable by its owner alone; keys are inside. */
  snapshot: { ask: { file: string }, reply: void }
  /** Chips as they were; none is in a reader. Refused where a chip of that name is there. */
  restore: { ask: { file: string }, reply: void }
}

/** Every command once: the client makes its methods from this list. */
export const commandNames = [
  'createCard', 'createPsam', 'createSsse', 'createScript', 'insert', 'remove', 'occupants',
  'arm', 'disarm', 'faultsStruck', 'setDelays', 'inspectCard', 'inspectPsam', 'inspectSsse', 'exchanges',
  'killPcscd', 'startPcscd', 'health', 'snapshot', 'restore'
] as const satisfies readonly CommandName[]

export type CommandName = keyof Commands

/** Upper-case hex; `atMs` from the start of the farm. `sent` differs from `answer` where a fault struck. */
export type ExchangeText = {
  atMs: number, reader: string, command: string
  answer: string | null, sent: string | null, fault: string | null
}

/** `crashes` counts the ends of pcscd that nobody asked for; `lastWords` is the end of what it printed. */
export type Health = { pcscdPid: number | null, crashes: number, lastWords: string }

export type Message = { id: number, command: CommandName, ask: unknown }

export type Answer =
  | { ready: { readers: string[] } }
  | { id: number, reply: unknown }
  | { id: number, error: string }

export const cardReader = ({ name }: Pair): string => `${name} 00 00`
export const psamReader = ({ name }: Pair): string => `${name} 00 01`
