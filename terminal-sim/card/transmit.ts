// One command to a virtual card: which command it is, whether it may come now, what it answers, what it
// commits. The order of commands is the table in session.ts; what each does is in commands.ts.

import type { Power } from '../reader/chip.ts'
import { type Command, parseCommand } from '../../schemas/epurse/apdu.ts'
import { runs } from './commands.ts'
import type { Draw, Outcome } from './outcome.ts'
import { isWrongLe, respond, type Response, statusOnly, sw, takeWaiting, wrongLe } from './response.ts'
import { type Step, next, onlyUnlocked, onlyWithin, steps } from './session.ts'
import { type CardState, type Memory, type Session, powerOff } from './state.ts'

export type Transmitted = {
  readonly response: Uint8Array | null, readonly card: CardState, readonly committed: boolean
}
/** Power is `steady` unless given. */
export type Surroundings = { random: Draw, power?: Power }

/**
 * The answer (null where power was cut), the card after it, and whether memory was written. Any bytes are
 * taken; nothing is thrown.
 */
export function transmit (
  card: CardState, bytes: Uint8Array, { random, power = 'steady' }: Surroundings
): Transmitted {
  const done = execute(card, bytes, random)
  if (power === 'steady') return { ...done, committed: done.card.memory !== card.memory }
  const memory = power === 'cut_before_commit' ? card.memory : done.card.memory
  return { response: null, card: powerOff({ ...card, memory }), committed: memory !== card.memory }
}

type Done = { readonly response: Uint8Array, readonly card: CardState }

function execute (card: CardState, bytes: Uint8Array, random: Draw): Done {
  const command = parseCommand(bytes)
  if (card.memory.lock === 'card') return refuse(card, sw.locked)
  if (!command.ok) return refuse(card, sw.wrongLength)
  if (command.cla === 0x00 && command.ins === 0xC0) return getResponse(card, command)
  const step = stepOf(command)
  if (typeof step === 'number') return refuse(card, step)
  const refusal = refusalOf(card, step)
  return refusal === null ? carryOut(card, step, command, random) : refuse(card, refusal)
}

/** The step, or the status word for a command that the chip does not know. */
function stepOf ({ cla, ins, p1 }: Command): Step | number {
  if (!classes.has(cla)) return sw.badCla
  const known = steps.filter(row => row.cla === cla && row.ins === ins)
  if (known.length === 0) return sw.badIns
  return known.find(row => row.p1 === undefined || row.p1 === p1)?.step ?? sw.badP1P2
}

/** 04 and 84: under secure messaging. */
const classes: ReadonlySet<number> = new Set([0x00, 0x04, 0x80, 0x84])

function refusalOf ({ chip, memory, session }: CardState, step: Step): number | null {
  if (onlyUnlocked.has(step) && session.directory !== 'application') return sw.conditions
  if (onlyUnlocked.has(step) && memory.lock === 'permanent') return sw.lockedForEver
  if (onlyUnlocked.has(step) && memory.lock === 'temporary') return sw.conditions
  if (!onlyWithin.has(step) || next[session.state][step] !== undefined) return null
  return session.state === 'init_capp' && step === 'debit' ? sw.conditions : chip.settings.outOfOrderSw
}

function carryOut (card: CardState, step: Step, command: Command, random: Draw): Done {
  const goesOn = next[card.session.state][step] !== undefined
  const before = goesOn ? card : { ...card, session: ended(card.session) }
  const outcome = runs[step](before, command, random)
  const data = outcome.data ?? new Uint8Array()
  if (isWrongLe(command.le, data)) return { response: statusOnly(wrongLe(data)).bytes, card }
  if (outcome.sw !== sw.ok && data.length === 0) {
    const session = { ...card.session, ...outcome.session }
    return refuse({ ...card, memory: outcome.memory ?? card.memory, session }, outcome.sw)
  }
  return conclude(before, step, outcome, respond(card.chip.settings.answers, data, outcome.sw))
}

function conclude (card: CardState, step: Step, outcome: Outcome, { bytes, waiting }: Response): Done {
  const state = next[card.session.state][step] ?? 'idle'
  const session = state === 'idle' ? ended(card.session) : card.session
  const memory: Memory = outcome.memory ?? card.memory
  return {
    response: bytes,
    card: { ...card, memory, session: { ...session, challenge: null, ...outcome.session, state, waiting } }
  }
}

/** A refused command ends the transaction under way: key, cache and challenge are gone. */
const refuse = (card: CardState, status: number): Done => ({
  response: statusOnly(status).bytes, card: { ...card, session: { ...ended(card.session), challenge: null } }
})

const ended = (session: Session): Session => ({
  ...session, state: 'idle', initialised: null, cache: [], waiting: null
})

function getResponse (card: CardState, { le }: Command): Done {
  const { bytes, waiting } = takeWaiting(card.session.waiting, le)
  return { response: bytes, card: { ...card, session: { ...card.session, waiting } } }
}
