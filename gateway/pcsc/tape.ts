// The traffic of a lane's readers for a tape: headers of commands, status words, lengths. What stands in
// between has numbers of cards, PINs and proofs of keys in it and is never told. It refuses to know files.
import { hex } from '../../schemas/epurse/hex.ts'
import type { Answer, Step } from './exchange.ts'
import type { Connection, Pcsc, Reader } from './port.ts'

/** `reader`: its PC/SC name. */
export type Tell = (reader: string, way: 'in' | 'out' | 'end', said: string) => void

/** The same readers, and what is said to chips and by them is told as well. */
export function tapedPcsc (pcsc: Pcsc, tell: Tell): Pcsc {
  return { ...pcsc, reader: name => tapedReader(pcsc.reader(name), tell) }
}

function tapedReader (reader: Reader, tell: Tell): Reader {
  const { name } = reader
  let greeting: readonly Step[] = []
  return {
    ...reader,
    greet: (deadlineMs, steps) => {
      greeting = steps
      reader.greet(deadlineMs, steps)
    },
    connect: async deadlineMs => {
      const connection = await reader.connect(deadlineMs)
      tellSteps(name, greeting, connection.greeting ?? [], tell)
      return tapedConnection(name, connection, tell)
    }
  }
}

const tapedConnection = (name: string, connection: Connection, tell: Tell): Connection => ({
  ...connection,
  transmit: async command => {
    const answer = await connection.transmit(command)
    tellSteps(name, [{ command }], [answer], tell)
    return answer
  },
  run: async steps => {
    const answers = await connection.run(steps)
    tellSteps(name, steps, answers, tell)
    return answers
  },
  heard: (command, answer, tookMs) => {
    tellSteps(name, [{ command }], [answer], tell)
    connection.heard?.(command, answer, tookMs)
  },
  close: async disposition => {
    tell(name, 'end', disposition)
    await connection.close(disposition)
  }
})

function tellSteps (
  name: string, steps: readonly Pick<Step, 'command' | 'relay'>[], answers: readonly Answer[], tell: Tell
): void {
  for (const [at, { command, relay }] of steps.entries()) {
    const answer = answers[at]
    if (answer === undefined || relay !== undefined) continue // what is relayed is told by its own chip
    tell(name, 'out', `${hex(command.subarray(0, headerBytes))} (${command.length} bytes)`)
    tell(name, 'in', maskAnswer(answer))
  }
}

/** CLA INS P1 P2. */
const headerBytes = 4

const maskAnswer = (answer: Answer): string => answer.kind === 'unknown'
  ? `unknown: ${answer.why}`
  : `${answer.sw.toString(16).toUpperCase().padStart(4, '0')} (${answer.data.length} bytes)`
