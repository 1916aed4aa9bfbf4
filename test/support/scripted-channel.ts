// A card and a PSAM that answer from one list, in the order of a device log: any other command, or another
// order, is a failure that names both.
import { answerOf, channelOf, type Answer, type Channel } from '../../gateway/pcsc/exchange.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'

/** `C` card or `P` PSAM, command and answer in hex, blanks allowed; an empty answer is a lost one. */
export type Line = readonly [chip: 'C' | 'P', command: string, answer: string]

export type Script = {
  readonly card: Channel
  readonly psam: Channel
  /** `C 00A4…` for each command that came. */
  readonly sent: string[]
  /** What was not asked for. */
  left (): number
}

export function scripted (lines: readonly Line[], onWrong: (message: string) => void): Script {
  const waiting = [...lines]
  const sent: string[] = []
  const transmit = (chip: 'C' | 'P') => async (command: Uint8Array): Promise<Answer> => {
    const said = `${chip} ${hex(command)}`
    sent.push(said)
    const line = waiting.shift()
    const wanted = line === undefined ? 'nothing' : `${line[0]} ${line[1].replace(/\s/g, '')}`
    if (line === undefined || said !== wanted) {
      onWrong(`command ${sent.length}\n  wanted ${wanted}\n  sent   ${said}`)
      return { kind: 'unknown', why: 'not in the script' }
    }
    return line[2] === '' ? { kind: 'unknown', why: 'card left' } : answerOf(unhex(line[2]))
  }
  return {
    card: channelOf(transmit('C')), psam: channelOf(transmit('P')), sent, left: () => waiting.length
  }
}
