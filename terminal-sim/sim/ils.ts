// `sim ils`: a library's own system, which speaks SIP2 to a gateway or to a self-check: who owes what, what
// is lent, and whether it takes a payment. It refuses to know purses and accounts.
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { localDate, localTime } from '../../runtime/instants.ts'
import { codePage } from '../../schemas/sip2/code-page.ts'
import { lineCutter } from '../../schemas/sip2/lines.ts'
import {
  amountText, countText, fenOf, type Field, type Message, readMessage, say as saying, type Said, sipDate,
  valueOf, writeMessage, yesNo
} from '../../schemas/sip2/message.ts'
import { showYuan } from '../scenario/values.ts'
import type { Command, Given } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { town } from './place.ts'
import { cardOf, trafficOf, trafficOptions, yuanOf } from './pos.ts'

const say = (line: string): void => { console.log(line) }
const page = codePage('utf-8')

const words = {
  owes: ['CARD YUAN', 'what a reader owes: 1 to 3, or the whole number'],
  pays: ['yes|no|silent', 'what it says to a payment; silent: nothing at all'],
  show: ['', 'who owes what, what is lent, and the payments that it took']
} as const satisfies Words

type Library = {
  readonly owedFen: Map<string, number>
  /** Reader by book. */
  readonly lent: Map<string, string>
  /** By what the terminal calls them: a payment is taken once. */
  readonly paid: Map<string, { readonly reader: string, readonly fen: number }>
  pays: 'yes' | 'no' | 'silent'
}

async function run (given: Given): Promise<number> {
  const library: Library = { owedFen: new Map(), lent: new Map(), paid: new Map(), pays: 'yes' }
  const server = createServer(socket => serve(library, given, socket))
  await new Promise<void>(resolve => server.listen(given.whole('port', 0, 65_535), '127.0.0.1', resolve))
  say(`the library is at 127.0.0.1:${(server.address() as AddressInfo).port}; a gateway is told by "ils", ` +
    'docs/library.md')
  try {
    const code = await obey(deedsFor(library), { say, script: given.maybe('script') })
    if (given.has('stay')) await new Promise<void>(resolve => { process.once('SIGTERM', () => resolve()) })
    return code
  } finally {
    server.close()
  }
}

function serve (library: Library, given: Given, socket: Socket): void {
  const lines = lineCutter()
  // Here the peer is the device: what it says comes in.
  const traffic = trafficOf(given, 'sip2', 'ils')
  socket.on('error', () => undefined).on('close', () => traffic.end('the connection ended'))
  socket.on('data', bytes => {
    traffic.pass('in', bytes)
    for (const one of lines.push(bytes)) {
      const read = 'line' in one ? readMessage(one.line, page) : null
      if (read?.ok !== true) continue
      const answer = answerTo(library, given.text('institution'), read.message)
      if (answer === null) continue
      const sequence = read.message.detection?.sequence ?? null
      const said = Buffer.concat([writeMessage(answer, page, sequence), Buffer.from('\r')])
      traffic.pass('out', said)
      socket.write(said)
    }
  })
}

/** Null: nothing is said. */
function answerTo (library: Library, institution: string, message: Message): Said | null {
  const date = nowInSip()
  const reader = valueOf(message, 'AA') ?? ''
  const book = valueOf(message, 'AB') ?? ''
  const owedFen = library.owedFen.get(reader) ?? 0
  const status = { patronStatus: ' '.repeat(14), language: '019', date }
  const who: Field[] = [['AO', institution], ['AA', reader]]
  const owes: Field[] = [['BH', 'CNY'], ['BV', amountText(owedFen)]]
  const known: Field[] = [...who, ['AE', ''], ['BL', 'Y'], ['CQ', 'Y'], ...owes]
  switch (message.code) {
    case '93': return saying('94', { ok: '1' })
    case '99': return saying('98', {
      online: 'Y', checkin: 'Y', checkout: 'Y', renewal: 'N', statusUpdate: 'N', offlineOk: 'N',
      timeout: '100', retries: '003', date, version: '2.00'
    }, [['AO', institution], ['AM', institution], ['BX', 'YYYYYNYNNNYNNNNN']])
    case '23': return saying('24', status, known)
    case '63': {
      const charged = [...library.lent.values()].filter(one => one === reader).length
      const none = countText(0)
      return saying('64', {
        ...status, holds: none, overdue: none, charged: countText(charged),
        fines: countText(Number(owedFen > 0)), recalls: none, unavailableHolds: none
      }, known)
    }
    case '11': {
      const isFree = !library.lent.has(book)
      if (isFree) library.lent.set(book, reader)
      return saying('12', {
        ok: isFree ? '1' : '0', renewed: 'N', magneticMedia: 'N', desensitize: yesNo(isFree), date
      }, [...who, ['AB', book], ['AJ', book], ['AH', '']])
    }
    case '09': {
      const wasLent = library.lent.delete(book)
      return saying('10', {
        ok: wasLent ? '1' : '0', resensitize: yesNo(wasLent), magneticMedia: 'N', alert: 'N', date
      }, [['AO', institution], ['AB', book], ['AQ', ''], ['AJ', book]])
    }
    case '37': return paying(library, who, message, date)
    default: return null
  }
}

function paying (library: Library, who: readonly Field[], message: Message, date: string): Said | null {
  if (library.pays === 'silent') return null
  const [reader, transaction] = [valueOf(message, 'AA') ?? '', valueOf(message, 'BK') ?? '']
  const fen = fenOf(valueOf(message, 'BV') ?? '') ?? 0
  const isNew = !library.paid.has(transaction)
  const accepted = library.pays === 'yes' && fen > 0
  if (accepted && isNew) {
    library.paid.set(transaction, { reader, fen })
    library.owedFen.set(reader, Math.max(0, (library.owedFen.get(reader) ?? 0) - fen))
  }
  return saying('38', { accepted: yesNo(accepted), date }, [...who, ['BK', transaction]])
}

function nowInSip (): string {
  const at = Date.now()
  return sipDate(localDate(at).replaceAll('-', '') + localTime(at).replaceAll(':', ''))
}

function deedsFor (library: Library): Deeds {
  return deedsOf(words, {
    owes: async ([card, yuan]) => { library.owedFen.set(cardOf(card).serial, yuanOf(yuan)) },
    pays: async ([what = '']) => {
      if (what !== 'yes' && what !== 'no' && what !== 'silent') throw new DeedError('pays: yes, no or silent')
      library.pays = what
    },
    show: async () => [
      ...[...library.owedFen].map(([reader, fen]) => `${masked(reader)} owes ${showYuan(fen)}`),
      ...[...library.lent].map(([book, reader]) => `${book} is lent to ${masked(reader)}`),
      ...[...library.paid].map(([transaction, { reader, fen }]) =>
        `${transaction}: ${showYuan(fen)} paid by ${masked(reader)}`)
    ].join('\n') || 'nothing'
  })
}

const masked = (serial: string): string => `${serial.slice(0, 6)}…${serial.slice(-4)}`

export const ils: Command = {
  name: 'ils',
  says: "a library's own system that speaks SIP2: who owes, what is lent, what is paid",
  options: {
    port: { value: 'PORT', says: 'where it listens; 0: any free one', or: '7012' },
    institution: { value: 'AO', says: 'its name in its answers', or: town.library },
    stay: { says: 'goes on when the lines are over, until it is ended' },
    ...trafficOptions
  },
  typed: typedRows(words),
  examples: [
    ['ils', 'then: owes 1 3.50; elsewhere: npm run sim -- self-check --tcp 7012'],
    ['ils --script readers.txt --stay', 'who owes what comes from a file']
  ],
  run
}
