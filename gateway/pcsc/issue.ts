// One card of a batch on a reader: what is on it already is read, what is missing is ordered, and in the end
// all is read once more. It refuses to know keys, batches and readers.
import { selectByFid, selectByName } from '../../schemas/epurse/apdu.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import {
  type Directory, type Plan, type Standing, describeStep, readCommand, readsOf, standingOf
} from '../../schemas/epurse/issuing.ts'
import { orderRules } from '../../schemas/epurse/maintenance.ts'
import { type ProfileName, profiles } from '../../schemas/epurse/profiles.ts'
import { describeStatus, isOk } from '../../schemas/epurse/status-words.ts'
import type { Channel } from './exchange.ts'
import { type Given, type Signed, giveOrder } from './order.ts'

export type Issued =
  | { readonly kind: 'issued' }
  /**
   * The card left, or nobody signed: it goes on where it is when it comes back. `untouched`: nothing has been
   * sent to it that would change it.
   */
  | {
    readonly kind: 'interrupted', readonly at: string, readonly why: string, readonly untouched: boolean
  }
  /** The chip refused: nothing more will be tried with it. `first`: nothing was ever written into it. */
  | { readonly kind: 'spoiled', readonly at: string, readonly why: string, readonly first: boolean }

export type Writing = {
  /** The finished command of a step, from whoever holds the keys. */
  sign (step: number, challenge: Uint8Array): Promise<Signed>
  /** The chip carries the serial now. */
  onNamed (): Promise<void>
}

export async function issueCard (card: Channel, plan: Plan, desk: Writing): Promise<Issued> {
  const first = await readStanding(card, plan)
  if (first === 'lost') return interrupted('reading', left, true)
  const written = first.kind === 'done' ? null : await writeFrom(card, plan, first, desk)
  if (written !== null) return written
  const last = await readStanding(card, plan)
  if (last === 'lost') return interrupted('reading back', left, false)
  return last.kind === 'done'
    ? { kind: 'issued' }
    : { kind: 'spoiled', at: 'reading back', why: 'it does not hold what was written', first: false }
}

const left = 'the card left'
const interrupted = (at: string, why: string, untouched: boolean): Issued =>
  ({ kind: 'interrupted', at, why, untouched })

/* ---- reading ---- */

async function readStanding (card: Channel, plan: Plan): Promise<Standing | 'lost'> {
  const line = walker(card, plan.spec.profile)
  const read: (string | null)[] = []
  for (const file of readsOf(plan)) {
    if (!await line.into(file.directory)) return 'lost'
    const answer = await card.transmit(readCommand(file))
    if (answer.kind === 'unknown') return 'lost'
    read.push(isOk(answer.sw) ? hex(answer.data) : null)
  }
  return standingOf(plan, read)
}

/** SELECT only where the directory is another. */
function walker (card: Channel, profile: ProfileName) {
  let here: Directory | null = null
  return {
    /** False where the card left. A directory that is not there shows at the next command. */
    into: async (directory: Directory): Promise<boolean> => {
      if (here === directory) return true
      const answer = await card.transmit(selectDirectory(profile, directory))
      here = directory
      return answer.kind === 'answer'
    }
  }
}

export const selectDirectory = (profile: ProfileName, directory: Directory): Uint8Array =>
  directory === 'master' ? selectByFid(masterFid) : selectByName(profiles[profile].aid)
const masterFid = 0x3F00

/* ---- writing ---- */

/** Null when every step has been obeyed. */
async function writeFrom (
  card: Channel, plan: Plan, standing: Exclude<Standing, { kind: 'done' }>, desk: Writing
): Promise<Issued | null> {
  if (standing.kind === 'other') {
    return { kind: 'spoiled', at: 'reading', why: 'it is the chip of another card', first: false }
  }
  let probing = standing.kind === 'among_keys'
  const isBlank = standing.kind === 'blank'
  let at = isBlank ? 0 : standing.kind === 'at' ? standing.step : plan.probe
  const line = walker(card, plan.spec.profile)
  while (at < plan.steps.length) {
    const given = await giveStep(card, plan, at, desk, line)
    if (probing && given.kind === 'refused' && given.sw === smMacWrong) at = plan.keysFrom
    else if (given.kind !== 'obeyed') return endOf(plan, at, given, isBlank && at === 0)
    else {
      if (at === 0) await desk.onNamed()
      at += 1
    }
    probing = false
  }
  return null
}
/** Its own master key has not been written yet: the transport key is still in force. */
const smMacWrong = 0x6988

async function giveStep (
  card: Channel, { steps }: Plan, at: number, desk: Writing, line: ReturnType<typeof walker>
): Promise<Given> {
  const step = steps[at]
  if (step === undefined || !await line.into(step.directory)) return { kind: 'lost', sent: false }
  const { challenge } = orderRules[step.order.order]
  return (await giveOrder(card, { challenge, sign: random => desk.sign(at, random) })).given
}

function endOf (
  plan: Plan, step: number, given: Exclude<Given, { kind: 'obeyed' }>, first: boolean
): Issued {
  const at = describeStep(plan, step)
  switch (given.kind) {
    case 'lost': return interrupted(at, left, first && !given.sent)
    case 'unsent': return interrupted(at, given.why, first)
    case 'refused': return { kind: 'spoiled', at, why: describeStatus(given.sw), first }
  }
}
