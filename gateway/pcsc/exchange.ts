// One command and its answer, whatever the transport protocol of the chip: T=0 chips say 61xx and 6Cxx,
// others answer at once. It refuses to know readers and what the commands mean.
import { concat } from '../../schemas/epurse/hex.ts'
import { getResponse, parseBalance, parseCommand, splitResponse } from '../../schemas/epurse/apdu.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'

/** Unknown is not failed: the chip may have done what it was told. */
export type Answer =
  | { readonly kind: 'answer', readonly data: Uint8Array, readonly sw: number }
  | { readonly kind: 'unknown', readonly why: string }

/** All that a session needs of a chip. Never throws: what goes wrong on the way is an unknown answer. */
export type Channel = {
  transmit (command: Uint8Array): Promise<Answer>
  /**
   * Commands that are known beforehand, one after the other, as one errand: the way to a reader in another
   * process costs 0.3 ms each time. The answers up to the first after which it does not go on.
   */
  run (steps: readonly Step[]): Promise<Answer[]>
  /** Which connection it is of which process of readers; absent: of none. */
  readonly remote?: { readonly process: object, readonly connection: number }
  /** Told of what was relayed to it by an errand to another chip, and how long its answer took. */
  heard? (command: Uint8Array, answer: Answer, tookMs: number): void
}

/** `goOn`: after which answer the next command is sent; after an unknown one it never is. */
export type Step = { readonly command: Uint8Array, readonly goOn: GoOn, readonly relay?: Relay }
/**
 * To another chip, with what the chip of the errand has just said: its PSAM signs what a card answers, and
 * nothing comes back in between. Where the answer before has not these bytes, the errand ends.
 */
export type Relay = { readonly to: Channel, readonly copies: readonly Copy[] }
/** `length` bytes from `from` of the data of the answer before, at `to` of the command. */
export type Copy = { readonly from: number, readonly length: number, readonly to: number }
export const goOns = ['always', 'if_ok', 'if_balance'] as const
/** `if_balance`: GET BALANCE says more than nothing. */
export type GoOn = typeof goOns[number]

/** A channel out of its single commands. */
export const channelOf = (transmit: Channel['transmit']): Channel => ({
  transmit,
  run: async steps => {
    const answers: Answer[] = []
    for (const { command, goOn, relay } of steps) {
      const whole = relay === undefined ? command : withCopies(command, relay.copies, answers.at(-1))
      if (whole === null) break
      const answer = await (relay?.to.transmit ?? transmit)(whole)
      answers.push(answer)
      if (!goesOn(goOn, answer)) break
    }
    return answers
  }
})

function withCopies (
  command: Uint8Array, copies: readonly Copy[], before: Answer | undefined
): Uint8Array | null {
  const data = before?.kind === 'answer' ? before.data : nothing
  if (copies.some(({ from, length }) => from + length > data.length)) return null
  const whole = Uint8Array.from(command)
  for (const { from, length, to } of copies) whole.set(data.subarray(from, from + length), to)
  return whole
}
const nothing = new Uint8Array(0)

function goesOn (goOn: GoOn, answer: Answer): boolean {
  if (answer.kind === 'unknown') return false
  if (goOn === 'always') return true
  if (!isOk(answer.sw) || goOn === 'if_ok') return isOk(answer.sw)
  const balance = parseBalance(answer.data)
  return balance.ok && balance.balanceFen > 0
}

/** A torn card often shows as a success with fewer than two bytes. */
export function answerOf (bytes: Uint8Array): Answer {
  const parts = splitResponse(bytes)
  return parts.ok ? { kind: 'answer', data: parts.data, sw: parts.sw } : { kind: 'unknown', why: parts.error }
}

/** GET RESPONSE on 61xx, the same command with another Le on 6Cxx (ISO/IEC 7816-3, 10.3.4 and 12.2.1). */
export const conversing = (transmit: Channel['transmit']): Channel => channelOf(async command => {
  let answer = await transmit(command)
  if (answer.kind === 'answer' && answer.sw >> 8 === 0x6C) {
    answer = await transmit(withLe(command, answer.sw & 0xff))
  }
  let data: Uint8Array = new Uint8Array(0)
  for (let parts = 0; answer.kind === 'answer' && answer.sw >> 8 === 0x61 && parts < partsMax; parts++) {
    data = concat(data, answer.data)
    answer = await transmit(getResponse(answer.sw & 0xff))
  }
  if (answer.kind === 'unknown' || data.length === 0) return answer
  return { ...answer, data: concat(data, answer.data) }
})
const partsMax = 8

/**
 * The channel, and what is told of the time each answer, or errand, took; what an errand waited for another
 * chip is told to that one.
 */
export function timed (channel: Channel, nowMs: () => number, tell: (durationMs: number) => void): Channel {
  return {
    ...channel,
    transmit: async command => {
      const startMs = nowMs()
      const answer = await channel.transmit(command)
      tell(nowMs() - startMs)
      return answer
    },
    run: async steps => {
      const startMs = nowMs()
      let elsewhereMs = 0
      const answers = await channel.run(steps.map(step => heardBy(step, tookMs => { elsewhereMs += tookMs })))
      tell(nowMs() - startMs - elsewhereMs)
      return answers
    },
    heard: (command, answer, tookMs) => {
      tell(tookMs)
      channel.heard?.(command, answer, tookMs)
    }
  }
}

function heardBy (step: Step, listener: (tookMs: number) => void): Step {
  if (step.relay === undefined) return step
  const { to } = step.relay
  const heard: Channel['heard'] = (command, answer, tookMs) => {
    listener(tookMs)
    to.heard?.(command, answer, tookMs)
  }
  return { ...step, relay: { ...step.relay, to: { ...to, heard } } }
}

/** T=0 has no place for Le behind data (ISO/IEC 7816-3, 12.2.1 case 4): the chip says 61xx instead. */
export function withoutLe (command: Uint8Array): Uint8Array {
  const parts = parseCommand(command)
  return parts.ok && parts.data.length > 0 && parts.le !== null ? command.subarray(0, -1) : command
}

function withLe (command: Uint8Array, le: number): Uint8Array {
  const parts = parseCommand(command)
  const bare = parts.ok && parts.le !== null ? command.subarray(0, -1) : command
  return concat(bare, Uint8Array.of(le))
}
