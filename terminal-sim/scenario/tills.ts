// Tills: where they stand, and one request with its answer over a connection of its own. It refuses to know
// what a scenario expects of the answer.
import type { PosKind, PosMessage } from '../../schemas/pos-line/messages.ts'
import { posCardText } from '../../schemas/pos-line/messages.ts'
import type { PortConfig } from '../../schemas/port.ts'
import { connectTo } from '../line/line.ts'
import { openPos, type PosFields } from '../pos/pos.ts'
import type { Edge } from './edge.ts'
import { StepError } from './verb.ts'
import { known, type World } from './world.ts'

/** A request as a till keeps it, to ask again or to take it back. */
export type TillRequest = {
  readonly till: string
  readonly kind: PosKind
  readonly fields: PosFields
}
/** `none`: it got lost, or nobody answered in time. */
export type TillAnswer = { readonly request: TillRequest, readonly answer: PosMessage | 'none' }

const port = 'tills'
/** A ledger that died on the way is waited for in vain; long enough for a busy machine. */
const answerMs = 3_000

/** One line for all of them. */
export const tillPortsOf = ({ tills, terminals }: World): PortConfig[] => tills.length === 0
  ? []
  : [{
      port,
      tcp: { port: 0 },
      speaks: {
        protocol: 'pos-line', language: 'en', answerMs,
        terminals: tills.map(terminal =>
          ({ terminal, operator: known(terminals, 'terminal', terminal).operator }))
      }
    }]

/** `lost`: the gateway answers, and nobody hears it. */
export async function askAt (world: World, request: TillRequest, lost: boolean): Promise<TillAnswer> {
  const { till, kind, fields } = request
  if (!world.tills.includes(till)) {
    throw new StepError(`${till} is no till`, ['given tills:', ...world.tills].join(' '))
  }
  const edge = edgeOf(world)
  await edge.follow()
  const line = await connectTo(await edge.tcpPort(port))
  try {
    const pos = openPos({ line, answerTimeoutMs: 2 * answerMs })
    const answer = await edge.whileAlive(pos.ask(kind, { ...fields, terminal: till }))
    return { request, answer: lost || answer === null ? 'none' : answer }
  } finally {
    line.close()
  }
}

function edgeOf ({ edge }: World): Edge {
  if (edge !== null) return edge
  throw new StepError('no gateway runs', 'given tills: [SHP-1]')
}

export const cardTextOf = (world: World, card: string): string =>
  posCardText(known(world.chips, 'card', card).ref)
