// `sim self-check`: a library's self-check that speaks SIP2, worked by hand or by a script.
import { localDate, localTime } from '../../runtime/instants.ts'
import {
  amountText, type Field, type Message, say as saying, type Said, sipDate, valueOf, valuesOf
} from '../../schemas/sip2/message.ts'
import { isYes } from '../scenario/self-checks.ts'
import { selfCheck as openSelfCheck, type SelfCheck } from '../self-check/self-check.ts'
import type { Command, Given } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { town } from './place.ts'
import { cardOf, trafficOf, trafficOptions, yuanOf } from './pos.ts'
import { overheard } from './traffic.ts'
import { openWire, wireOptions } from './wire.ts'

const say = (line: string): void => { console.log(line) }
const usualPort = 7003

const words = {
  login: ['', 'signs in again'],
  status: ['', 'whether the library is there, and what it can do'],
  patron: ['CARD', 'who a card belongs to, what is lent and owed'],
  out: ['CARD BOOK', 'borrows'],
  in: ['BOOK', 'brings back'],
  pay: ['CARD YUAN [BK]', 'pays from the online account; BK: what the library calls the payment']
} as const satisfies Words

async function run (given: Given): Promise<number> {
  const traffic = trafficOf(given, 'sip2', 'self-check')
  const stream = overheard(await openWire(given, say, usualPort), traffic)
  const desk = openSelfCheck(stream)
  const deeds = deedsFor(desk, given)
  try {
    say(await deeds['login']?.act([]) ?? '')
    return await obey(deeds, { say, script: given.maybe('script') })
  } finally {
    desk.close()
  }
}

function deedsFor (desk: SelfCheck, given: Given): Deeds {
  const institution = given.text('institution')
  const now = (): string => {
    const at = Date.now()
    return sipDate(localDate(at).replaceAll('-', '') + localTime(at).replaceAll(':', ''))
  }
  const reader = (card?: string): Field[] =>
    [['AO', institution], ['AA', cardOf(card).serial], ['AC', ''], ['AD', '']]
  const ask = async (said: Said): Promise<string> => {
    try {
      return told(await desk.say(said))
    } catch (error) {
      throw new DeedError((error as Error).message)
    }
  }
  return deedsOf(words, {
    login: async () => await ask(saying('93', { uidAlgorithm: '0', pwdAlgorithm: '0' },
      [['CN', given.text('user')], ['CO', given.text('password')], ['CP', '']])),
    status: async () => await ask(saying('99', { statusCode: '0', printWidth: '080', version: '2.00' }, [])),
    patron: async ([card]) => await ask(saying('63',
      { language: '019', date: now(), summary: '  Y       ' }, reader(card))),
    out: async ([card, book = '']) => await ask(saying('11',
      { renewalPolicy: 'Y', noBlock: 'N', date: now(), nbDueDate: now() }, [...reader(card), ['AB', book]])),
    in: async ([book = '']) => await ask(saying('09',
      { noBlock: 'N', date: now(), returnDate: now() }, [['AO', institution], ['AB', book]])),
    pay: async ([card, yuan, transaction]) => await ask(saying('37',
      { date: now(), feeType: '04', paymentType: '02', currency: 'CNY' }, [
        ['BV', amountText(yuanOf(yuan))], ...reader(card),
        ...transaction === undefined ? [] : [['BK', transaction] as const]
      ]))
  })
}

function told (message: Message): string {
  const shown = valueOf(message, 'AF')
  return [
    `${message.code} ${isYes(message) || message.fixed['online'] === 'Y' ? 'yes' : 'no'}`,
    ...valuesOf(message, 'AU').map(book => `book ${book}`),
    ...valueOf(message, 'BV') === null ? [] : [`owes ${valueOf(message, 'BV') ?? ''}`],
    ...valueOf(message, 'AH') === null ? [] : [`due ${valueOf(message, 'AH') ?? ''}`],
    ...shown === null ? [] : [shown]
  ].join(', ')
}

export const selfCheck: Command = {
  name: 'self-check',
  says: "a library's self-check that speaks SIP2",
  about: ['It signs in when it is connected: docs/library.md.'],
  options: {
    ...wireOptions,
    user: { value: 'NAME', says: 'signs in with', or: town.selfCheck.user },
    password: { value: 'WORD', says: 'signs in with', or: town.selfCheck.password },
    institution: { value: 'NAME', says: 'AO', or: town.library },
    ...trafficOptions
  },
  typed: typedRows(words),
  examples: [
    ['self-check', `the one of \`sim stack\`: out 1 ${town.books[0][0]}, patron 1, in ${town.books[0][0]}`],
    ['self-check --tcp 10.0.0.7:6001 --user SC1 --password secret', 'another one']
  ],
  run
}
