// `sim insurance`: the centre of medical insurance that a pool of the clinic has beside it. It shares bills
// out by a calculator of its own, loses what it is told to lose, and shows each message as it comes.
import { messages } from '../../schemas/medical/messages.ts'
import type { RequestMessage } from '../../schemas/medical/message.ts'
import type { Said, Settled } from '../insurance/centre.ts'
import { type InsuranceCentre, losses, startInsuranceCentre } from '../insurance/server.ts'
import { showYuan } from '../scenario/values.ts'
import type { Command, Given } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { yuanOf } from './pos.ts'

const say = (line: string): void => { console.log(line) }

const kinds = ['active', 'retired', 'resident'] as const
const levels = ['grassroots', 'tier1', 'tier2', 'tier3-city', 'tier3-province'] as const
const words = {
  person: ['NUMBER KIND [YUAN]', `is insured: ${kinds.join(', ')}; what the personal account holds`],
  hospital: ['CODE LEVEL', `its level: ${levels.join(', ')}`],
  lose: ['MESSAGE WHAT [TIMES]', `the next of that number, such as 2207: ${losses.join(', ')}`],
  arrive: ['', 'what was lost late arrives now'],
  settled: ['', 'bills that count, and those that were taken back'],
  heard: ['', 'numbers of all messages that came in']
} as const satisfies Words

async function run (given: Given): Promise<number> {
  const centre = await startInsuranceCentre({
    now: Date.now, port: given.whole('port', 0, 65_535),
    onMessage: (message, said) => say(line(message, said))
  })
  say(`the centre is at ${centre.url}; a ledger is told by PUT /v1/clinic/centres, docs/clinic.md`)
  try {
    const code = await obey(deedsFor(centre), { say, script: given.maybe('script') })
    if (given.has('stay')) await new Promise<void>(resolve => { process.once('SIGTERM', () => resolve()) })
    return code
  } finally {
    await centre.close()
  }
}

function deedsFor (centre: InsuranceCentre): Deeds {
  const known = <Word extends string>(said: string, all: readonly Word[]): Word =>
    all.find(one => one === said) ?? refuse(`${said}: one of ${all.join(', ')}`)
  return deedsOf(words, {
    person: async ([number = '', kind = '', account = '0']) => {
      const fen = BigInt(yuanOf(account))
      centre.persons.set(number, { insured: known(kind, kinds), account: fen })
    },
    hospital: async ([code = '', level = '']) => { centre.levels.set(code, known(level, levels)) },
    lose: async ([number = '', what = '', times = '1']) => {
      if (!/^\d{4}$/.test(number)) refuse(`${number}: a message has four digits`)
      if (!/^[1-9]\d?$/.test(times)) refuse(`${times}: 1 to 99`)
      centre.lose(number, known(what, losses), Number(times))
    },
    arrive: async () => { centre.letGo() },
    settled: async () => centre.settled.map(shown).join('\n') || 'none',
    heard: async () => centre.heard().join(' ') || 'nothing'
  })
}

const refuse = (why: string): never => { throw new DeedError(why) }

const shown = ({ no, person, institution, date, got, back }: Settled): string =>
  `${no} ${masked(person)} at ${institution} on ${date}: pool ${showYuan(Number(got.pool))}, ` +
  `cash ${showYuan(Number(got.cash))}${back === null ? '' : `; taken back ${back.date}`}`

/** Who is insured is nobody else's affair. */
const masked = (person: string): string =>
  person.length < 5 ? person : `${person.slice(0, 2)}***${person.slice(-2)}`

const line = ({ name }: RequestMessage, said: Said | null): string => {
  const { number, says } = messages[name]
  const back = said === null ? 'nothing, it is lost' : 'no' in said ? `no: ${said.no}` : 'yes'
  return `← ${number} ${says} → ${back}`
}

export const insurance: Command = {
  name: 'insurance',
  says: 'the centre of medical insurance: bills looked at, settled, taken back, compared',
  about: [
    'Answers the national messages (2204, 2206, 2207, 2208, 2304, 2601, 3201, 3202, 5203, 9101, 9102) at one',
    'address, by a calculator of its own that shares no line with the ledger.'
  ],
  options: {
    port: { value: 'PORT', says: 'where it listens; 0: any free one', or: '7011' },
    stay: { says: 'goes on when the lines are over, until it is ended' },
    script: { value: 'FILE', says: 'reads lines from there, not from the keyboard' }
  },
  typed: typedRows(words),
  examples: [
    ['insurance', 'then: hospital H4304000001 tier2, person P1 active 200.00'],
    ['insurance --script persons.txt --stay', 'who is insured comes from a file']
  ],
  run
}
