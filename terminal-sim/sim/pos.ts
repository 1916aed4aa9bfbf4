// `sim pos`: a till at the end of a POS line, or a terminal that speaks ISO 8583, worked by hand or by a
// script. What it asks and is answered is shown as it flows.
import { formatIso } from '../../runtime/instants.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import type { PosMessage } from '../../schemas/pos-line/messages.ts'
import { openPos as openIsoPos, type PosAnswer } from '../iso8583/pos.ts'
import { lineOn } from '../line/line.ts'
import { openPos } from '../pos/pos.ts'
import { readYuan, showYuan } from '../scenario/values.ts'
import { unhex } from '../../schemas/epurse/hex.ts'
import { type Command, type Given, UsageError } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { cardSaid, town } from './place.ts'
import { openTraffic, overheard, type Traffic } from './traffic.ts'
import { openWire, wireOptions } from './wire.ts'

const say = (line: string): void => { console.log(line) }
export const nowIso = (): string => formatIso(Date.now())

export function cardOf (said = ''): CardRef {
  const card = cardSaid(said)
  if (card !== null) return card
  throw new DeedError(`${said} is no card: 1, 2 or 3 of the town, or ISSUER-SERIAL-ISSUE`)
}

/** Fen. */
export function yuanOf (said = ''): number {
  if (/^\d{1,7}(\.\d{2})?$/.test(said)) return readYuan(said)
  throw new DeedError(`${said} is no amount: yuan, such as 1.80 or 20`)
}

export const trafficOf = (
  given: Given, protocol: Parameters<typeof openTraffic>[0]['protocol'], device: string
): Traffic => openTraffic({
  protocol, device, show: say, numbers: given.has('numbers'), tape: given.maybe('tape'), nowIso
})

export const trafficOptions = {
  numbers: { says: 'shows numbers of cards whole' },
  tape: { value: 'FILE', says: 'keeps what is said, for `sim replay`' },
  script: { value: 'FILE', says: 'reads lines from there, not from the keyboard' }
} as const

/* ---- the POS line ---- */

const usualPorts = { 'pos-line': 7001, iso8583: 7002 } as const

const lineWords = {
  sale: ['CARD YUAN', 'sells to the online account of a card'],
  topup: ['CARD YUAN', 'takes cash for it'],
  again: ['', 'the last sale or top-up once more, under the same key'],
  balance: ['CARD', 'what the online account holds'],
  void: ['[KEY] [YUAN]', 'takes a sale back, the last one when no key is said; a part where YUAN is'],
  echo: ['', 'whether somebody is there, and what time it is']
} as const satisfies Words

type Asked = { readonly kind: 'SALE' | 'TOPUP', readonly card: string, readonly amountFen: string }

async function runLine (given: Given): Promise<number> {
  const traffic = trafficOf(given, 'pos-line', 'pos')
  const stream = overheard(await openWire(given, say, usualPorts['pos-line']), traffic)
  const deeds = lineDeeds(openPos({ line: lineOn(stream) }), given.text('terminal'))
  try {
    return await obey(deeds, { say, script: given.maybe('script') })
  } finally {
    stream.destroy()
  }
}

function lineDeeds (pos: ReturnType<typeof openPos>, terminal: string): Deeds {
  const begun = Date.now().toString(36)
  const asked = new Map<string, Asked>()
  let last = ''
  let number = 0
  const newKey = (): string => { return `${begun}-${++number}` }

  async function money (kind: Asked['kind'], [card, yuan]: readonly string[]): Promise<string> {
    last = newKey()
    asked.set(last, { kind, card: cardKey(cardOf(card)), amountFen: String(yuanOf(yuan)) })
    return await again()
  }
  async function again (): Promise<string> {
    const request = asked.get(last)
    if (request === undefined) throw new DeedError('nothing was sold yet: sale 1 1.80')
    const { kind, card, amountFen } = request
    return told(await pos.ask(kind, { key: last, terminal, card, amountFen }))
  }

  return deedsOf(lineWords, {
    sale: words => money('SALE', words),
    topup: words => money('TOPUP', words),
    again,
    balance: async ([card]) =>
      told(await pos.ask('BALANCE', { key: newKey(), terminal, card: cardKey(cardOf(card)) })),
    void: async ([key = last, yuan]) => {
      const sale = asked.get(key)
      if (asked.size === 0) throw new DeedError('nothing was sold yet: sale 1 1.80')
      if (sale === undefined) {
        throw new DeedError(`no sale has the key ${key}; there are ${[...asked.keys()].join(', ')}`)
      }
      const { card, amountFen } = sale
      const part = yuan === undefined ? {} : { partFen: String(yuanOf(yuan)) }
      return told(await pos.ask('VOID', { key: newKey(), of: key, terminal, card, amountFen, ...part }))
    },
    echo: async () => told(await pos.ask('ECHO', { key: newKey(), terminal }))
  })
}

function told (answer: PosMessage | null): string {
  if (answer === null) return 'no answer: it is not known what became of it; again asks with the same key'
  const { key = '', outcome = '', reason = '', replayed, amountFen, balanceFen, time, text } = answer.fields
  return [
    `${outcome} ${reason}`, `key ${key}`,
    ...amountFen === undefined ? [] : [`${showYuan(Number(amountFen))} yuan`],
    ...balanceFen === undefined ? [] : [`${showYuan(Number(balanceFen))} left`],
    ...replayed === '1' ? ['answered before'] : [],
    ...time === undefined ? [] : [time],
    ...text === undefined ? [] : [text]
  ].join(', ')
}

/* ---- ISO 8583 ---- */

async function runIso (given: Given): Promise<number> {
  const traffic = trafficOf(given, 'iso8583', 'pos')
  const master = given.maybe('master')
  if (master !== null && !/^[0-9A-Fa-f]{32}$/.test(master)) {
    throw new UsageError('--master: 32 hexadecimal digits are wanted')
  }
  const stream = overheard(await openWire(given, say, usualPorts.iso8583), traffic)
  const pos = openIsoPos({
    terminal: given.maybe('terminal') === town.till ? town.iso8583.terminal : given.text('terminal'),
    merchant: given.text('merchant'),
    master: master === null ? town.iso8583.master : unhex(master)
  })
  pos.attach(stream)
  try {
    return await obey(isoDeeds(pos), { say, script: given.maybe('script') })
  } finally {
    stream.destroy()
  }
}

function isoDeeds (pos: ReturnType<typeof openIsoPos>): Deeds {
  const panOf = (card?: string): string => cardOf(card).serial.slice(1)
  const ask = async (asking: Promise<PosAnswer>): Promise<string> => {
    try {
      return isoTold(await asking)
    } catch (error) {
      return `no answer that can be taken: ${(error as Error).message}`
    }
  }
  return deedsOf(isoWords, {
    signin: () => ask(pos.signIn()),
    sale: async ([card, yuan]) => await ask(pos.purchase(panOf(card), yuanOf(yuan))),
    balance: async ([card]) => await ask(pos.balance(panOf(card))),
    void: async ([trace = '', yuan]) => await ask(pos.void(trace.padStart(6, '0'), yuanOf(yuan))),
    echo: () => ask(pos.ask('echo'))
  })
}

const isoWords = {
  signin: ['', 'fetches the key that signs; before anything else'],
  sale: ['CARD YUAN', 'sells to the online account of a card'],
  balance: ['CARD', 'what the online account holds'],
  void: ['TRACE YUAN', 'takes a sale of this batch back'],
  echo: ['', 'whether somebody is there']
} as const satisfies Words

const isoTold = ({ code, fields }: PosAnswer): string => [
  code === '00' ? 'approved 00' : `answer ${code}`, `trace ${fields[11] ?? ''}`,
  ...fields[4] === undefined ? [] : [`${showYuan(Number(fields[4]))} yuan`],
  ...fields[54] === undefined ? [] : [`${showYuan(Number(fields[54].slice(-12)))} left`]
].join(', ')

export const pos: Command = {
  name: 'pos',
  says: 'a till at the end of a POS line, or a terminal that speaks ISO 8583',
  about: [
    'Sells to online accounts: it asks, the centre decides, the answer is shown. The protocols are described',
    'in docs/pos-line.md and docs/iso8583.md.'
  ],
  options: {
    speaks: { value: 'PROTOCOL', says: 'pos-line or iso8583', or: 'pos-line' },
    ...wireOptions,
    terminal: { value: 'NUMBER', says: 'of the terminal at its operator', or: town.till },
    merchant: { value: 'NUMBER', says: 'field 42 of ISO 8583', or: town.iso8583.merchant },
    master: { value: 'HEX', says: 'master key of ISO 8583; that of the town when absent' },
    ...trafficOptions
  },
  typed: [...typedRows(lineWords), ['signin', `ISO 8583: ${isoWords.signin[1]}`]],
  examples: [
    ['pos', 'the till of `sim stack`'],
    ['pos --speaks iso8583', 'its ISO 8583 terminal: signin, sale 1 1.80'],
    ['pos --pty --terminal S1', 'a till on a cable of pseudo terminals'],
    ['pos --script sales.txt --tape sales.jsonl', 'sells what stands in a file, and keeps what was said']
  ],
  run: async given => {
    const speaks = given.text('speaks')
    if (speaks === 'pos-line') return await runLine(given)
    if (speaks === 'iso8583') return await runIso(given)
    throw new UsageError(`--speaks ${speaks}: pos-line or iso8583`)
  }
}
