// One POS at one wire: what it may say when, and what it hears. Half duplex: it asks, hears that it was
// heard, hears the answer, says that it heard it. It refuses to know messages.
import { killPoint } from '../../runtime/kill-point.ts'
import { buildFrame, control, cutPiece, type LrcRule, type Piece } from '../../schemas/serial/lrc-frame.ts'
import type { Conversation, Wire } from '../wire/wire.ts'

type State = 'idle' | 'working' | 'answering'
type Signal = Exclude<Piece['kind'], 'broken' | 'junk' | 'eot'> | 'bad' | 'answer' | 'late' | 'spent'
type Deed = 'ack' | 'nak' | 'take' | 'compare' | 'send' | 'again' | 'done' | 'give_up'

/**
 * `bad`: a frame that cannot be taken. `late`: nobody acknowledged the answer in time; `spent`: for the last
 * time. What stands in no row is ignored: a NAK storm into silence changes nothing. A POS that asks again
 * while it is answered did not hear the answer; it gets the same one, because its key is the same.
 */
const next: Record<State, Partial<Record<Signal, readonly [State, Deed]>>> = {
  idle: { enq: ['idle', 'ack'], frame: ['working', 'take'], bad: ['idle', 'nak'] },
  working: {
    enq: ['working', 'ack'], frame: ['working', 'compare'], bad: ['working', 'nak'],
    answer: ['answering', 'send']
  },
  answering: {
    ack: ['idle', 'done'], spent: ['idle', 'give_up'],
    nak: ['answering', 'again'], late: ['answering', 'again'], enq: ['answering', 'again'],
    frame: ['working', 'take'], bad: ['answering', 'nak']
  }
}

export type PosSession = Conversation & {
  /** Takes no new request; resolves when the answer under way was heard or given up. */
  close (): Promise<void>
}

export type PosSessionOptions = {
  readonly wire: Wire
  readonly lrc: LrcRule
  readonly ackTimeoutMs: number
  readonly byteGapMs: number
  readonly sendsMax: number
  /** The answer to a request; never throws. */
  readonly answer: (request: Uint8Array) => Promise<Uint8Array>
  readonly count: (event: PosEvent, by?: number) => void
}
export type PosEvent =
  'conversations' | 'requests' | 'answers' | 'repeats' | 'unacknowledged' | 'naksSent' | 'naksHeard' |
  'broken' | 'junkBytes'

export function posSession (options: PosSessionOptions): PosSession {
  const { wire, lrc, count } = options
  let state: State = 'idle'
  let rest: Uint8Array = new Uint8Array(0)
  let request: Uint8Array = new Uint8Array(0)
  let frame: Uint8Array = new Uint8Array(0)
  let sends = 0
  let timer: NodeJS.Timeout | undefined
  let gap: NodeJS.Timeout | undefined
  let over = false
  let whenIdle: (() => void) | null = null
  /** What is said to one piece of bytes leaves as one: a flood of ENQ is answered once. */
  let saying: number[] | null = null

  function signal (given: Signal, data = request): void {
    if (over) return
    const again = next[state][given]?.[1] === 'again'
    const row = next[state][again && sends >= options.sendsMax ? 'spent' : given]
    if (row === undefined) return
    const [to, deed] = row
    if (deed === 'take' && whenIdle !== null) return say(control.nak, 'naksSent')
    state = to
    deeds[deed](data)
    if (state === 'idle') whenIdle?.()
  }

  const deeds: Record<Deed, (data: Uint8Array) => void> = {
    ack: () => say(whenIdle === null ? control.ack : control.nak),
    nak: () => say(control.nak, 'naksSent'),
    take: data => {
      clearTimeout(timer)
      request = Uint8Array.from(data)
      say(control.ack, 'requests')
      void work(request)
    },
    compare: data => {
      if (Buffer.compare(data, request) === 0) say(control.ack, 'repeats')
      else say(control.nak, 'naksSent')
    },
    send: () => {
      sends = 0
      count('answers')
      send()
    },
    again: () => {
      count('repeats')
      send()
    },
    done: () => clearTimeout(timer),
    give_up: () => {
      clearTimeout(timer)
      count('unacknowledged')
    }
  }

  async function work (asked: Uint8Array): Promise<void> {
    const answer = await options.answer(asked)
    if (asked !== request) return
    killPoint('pos-before-answer')
    if (over) return count('unacknowledged')
    frame = buildFrame(answer, lrc)
    signal('answer')
  }

  function send (): void {
    sends += 1
    clearTimeout(timer)
    timer = setTimeout(() => signal('late'), options.ackTimeoutMs)
    void wire.write(frame)
  }

  function say (byte: number, event?: PosEvent): void {
    if (event !== undefined) count(event)
    if (saying === null) void wire.write(Uint8Array.of(byte))
    else if (saying.at(-1) !== byte) saying.push(byte)
  }

  function hear (piece: Piece): void {
    switch (piece.kind) {
      case 'frame': return signal('frame', piece.data)
      case 'junk': return count('junkBytes', piece.count)
      case 'eot': return undefined
      case 'broken':
        count('broken')
        // The frame that begins inside it decides.
        return piece.why === 'restarted' ? undefined : signal('bad')
      case 'nak':
        count('naksHeard')
        return signal('nak')
      default: return signal(piece.kind)
    }
  }

  count('conversations')
  return {
    bytes: bytes => {
      clearTimeout(gap)
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      saying = []
      for (let cut = cutPiece(rest, lrc); cut !== null; cut = cutPiece(rest, lrc)) {
        rest = cut.rest
        hear(cut.piece)
      }
      if (saying.length > 0) void wire.write(Uint8Array.from(saying))
      saying = null
      if (rest.length === 0) return
      gap = setTimeout(() => {
        rest = new Uint8Array(0)
        count('broken')
        signal('bad')
      }, options.byteGapMs)
    },
    ended: () => {
      over = true
      clearTimeout(timer)
      clearTimeout(gap)
      if (state === 'answering') count('unacknowledged')
      whenIdle?.()
    },
    close: () => new Promise<void>(resolve => {
      whenIdle = resolve
      if (over || state === 'idle') resolve()
    })
  }
}
