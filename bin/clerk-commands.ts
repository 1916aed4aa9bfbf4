// What a clerk can ask at a counter, as data: the words of the command line and the call that they become.
// Pure: it refuses to know the wire.
import { parseCardKey } from '../schemas/record.ts'

export type Call = { readonly method: 'GET' | 'POST', readonly path: string, readonly json?: object }
/** Words by the names of a command's places, and options by name; flags are 'true'. */
export type Said = Readonly<Record<string, string>>
export type Command = {
  readonly says: string
  /** Words in their order; the last one may be several, `…`. Those in brackets may be left out. */
  readonly words: readonly string[]
  /** `--name VALUE`; a flag where the value is empty. */
  readonly options?: Readonly<Record<string, string>>
  readonly call: (said: Said) => Call
}

/** Something on the command line is wrong: what, and what is allowed. */
export class UsageError extends Error {}

const card = (text: string | undefined) => {
  const ref = parseCardKey(text ?? '')
  if (ref !== null) return ref
  const example = '02313750FFFFFFFF-03104990600000000001-1'
  throw new UsageError(`“${text}” is no card: ISSUER-SERIAL-ISSUE, as ${example}`)
}
const ofCard = (said: Said, what: string): string => {
  card(said['CARD'])
  return `/v1/cards/${said['CARD']}/${what}`
}

/** `12.30` → 1230, without a float. Throws UsageError. */
export function fenOf (text: string): number {
  const [, sign, whole = '', part = '00'] = /^(-?)(\d{1,7})(?:\.(\d{2}))?$/.exec(text) ?? []
  if (whole === '') throw new UsageError(`“${text}” is no amount in yuan: two decimals or none, as 12.30`)
  const fen = Number(whole + part)
  return sign === '-' ? 0 - fen : fen
}

/** `--chip 101:48.20`; null with `--unreadable`. One of the two is said: nobody forgets to read a chip. */
function chipOf ({ chip, unreadable }: Said): { counter: number, balanceFen: number } | null {
  if ((chip === undefined) === (unreadable === undefined)) {
    throw new UsageError('say --chip COUNTER:YUAN as the reader shows it, or --unreadable')
  }
  if (chip === undefined) return null
  const [, counter, amount] = /^(\d{1,5}):(.+)$/.exec(chip) ?? []
  if (counter === undefined || amount === undefined) {
    throw new UsageError(`“${chip}” is no reading of a chip: COUNTER:YUAN, as 101:48.20`)
  }
  return { counter: Number(counter), balanceFen: fenOf(amount) }
}
const chipOptions = { chip: 'COUNTER:YUAN', unreadable: '' } as const
const given = (said: Said, names: Readonly<Record<string, string>>): object =>
  Object.fromEntries(Object.entries(names).flatMap(([option, name]) =>
    said[option] === undefined ? [] : [[name, said[option]]]))
const document = ({ KIND: kind, NUMBER: number }: Said) => ({ kind, number })

const get = (path: string): Call => ({ method: 'GET', path })
const post = (path: string, json: object = {}): Call => ({ method: 'POST', path, json })

const ofValue = (said: Said, kind: 'residual' | 'residual_return'): Call =>
  post('/v1/proposals', { kind, body: { card: card(said['CARD']) }, reason: said['WHY'] })

export const commands: Readonly<Record<string, Command>> = {
  person: {
    says: 'enter a person who shows a document', words: ['KIND', 'NUMBER', 'NAME…'],
    options: { phone: 'NUMBER' },
    call: said => post('/v1/holders', {
      document: document(said), name: said['NAME'], ...given(said, { phone: 'phone' })
    })
  },
  'who-is': {
    says: 'whose document it is, masked, with the cards', words: ['KIND', 'NUMBER', 'WHY…'],
    call: said => post('/v1/holders/look-up', { by: { document: document(said) }, reason: said['WHY'] })
  },
  'whose-card': {
    says: 'whose card it is, masked, with the others', words: ['CARD', 'WHY…'],
    call: said => post('/v1/holders/look-up', { by: { card: card(said['CARD']) }, reason: said['WHY'] })
  },
  reveal: {
    says: 'everything that is known of a person', words: ['HOLDER', 'WHY…'],
    call: said => post(`/v1/holders/${said['HOLDER']}/reveal`, { reason: said['WHY'] })
  },
  'give-to': {
    says: 'a card is that person\'s from now on', words: ['CARD', 'HOLDER'],
    call: said => post(ofCard(said, 'holder'), { holder: said['HOLDER'] })
  },
  apply: {
    says: 'begin an application for a card', words: ['HOLDER', 'TYPE', 'WHY'],
    call: said => post('/v1/card-applications', {
      holder: said['HOLDER'], type: said['TYPE'], why: said['WHY']
    })
  },
  applications: {
    says: 'applications in a state', words: ['STATE'],
    call: said => get(`/v1/card-applications?state=${encodeURIComponent(said['STATE'] ?? '')}`)
  },
  advance: {
    says: 'take an application on', words: ['APPLICATION', 'STATE', 'WHY…'], options: { card: 'CARD' },
    call: said => post(`/v1/card-applications/${said['APPLICATION']}/moves`, {
      to: said['STATE'], reason: said['WHY'],
      ...said['card'] === undefined ? {} : { card: card(said['card']) }
    })
  },
  life: {
    says: 'state, list, holder and moves of a card', words: ['CARD'], call: said => get(ofCard(said, 'life'))
  },
  look: {
    says: 'what a caller is told: state, money, last uses', words: ['CARD', 'WHY…'],
    call: said => post(ofCard(said, 'look-up'), { reason: said['WHY'] })
  },
  statement: {
    says: 'what moved the purse of a card', words: ['CARD'], call: said => get(ofCard(said, 'statement'))
  },
  move: {
    says: 'report_orally, report_loss, lift_oral, lock, enable', words: ['CARD', 'MOVE', 'WHY…'],
    call: said => post(ofCard(said, 'moves'), { move: said['MOVE'], reason: said['WHY'] })
  },
  propose: {
    says: 'a move that a second person approves: lift_loss, unlock, die', words: ['CARD', 'MOVE', 'WHY…'],
    call: said => post('/v1/proposals', {
      kind: 'card_move', body: { card: card(said['CARD']), move: said['MOVE'] }, reason: said['WHY']
    })
  },
  decide: {
    says: 'approve what somebody else proposed, or refuse it', words: ['PROPOSAL'], options: { refuse: '' },
    call: said => post(`/v1/proposals/${said['PROPOSAL']}/decisions`, {
      approves: said['refuse'] === undefined
    })
  },
  replace: {
    says: 'another card in its place', words: ['CARD', 'TO', 'REASON', 'WHY…'],
    options: { ...chipOptions, outlet: 'AGENT' },
    call: said => post(ofCard(said, 'replacement'), {
      to: card(said['TO']), why: said['REASON'], chip: chipOf(said), reason: said['WHY'],
      ...given(said, { outlet: 'outlet' })
    })
  },
  replacement: {
    says: 'how far a replacement is', words: ['CARD'], call: said => get(ofCard(said, 'replacement'))
  },
  return: {
    says: 'a card is given back for good', words: ['CARD', 'OUTLET', 'WHY…'],
    options: { ...chipOptions, damaged: '' },
    call: said => post(ofCard(said, 'return'), {
      outlet: said['OUTLET'], chip: chipOf(said), undamaged: said['damaged'] === undefined,
      reason: said['WHY']
    })
  },
  'pay-return': {
    says: 'pay for a card whose chip nobody could read', words: ['CARD', 'OUTLET'],
    call: said => post(ofCard(said, 'return/payment'), { outlet: said['OUTLET'] })
  },
  returned: { says: 'what was paid for a card', words: ['CARD'], call: said => get(ofCard(said, 'return')) },
  found: {
    says: 'somebody brought a card', words: ['CARD', 'PLACE…'],
    call: said => post(ofCard(said, 'found'), { place: said['PLACE'] })
  },
  fetched: {
    says: 'its holder fetched it', words: ['CARD'],
    call: said => ({ method: 'POST', path: ofCard(said, 'fetched') })
  },
  'found-cards': { says: 'cards that nobody fetched', words: [], call: () => get('/v1/found-cards') },
  'forgotten-cards': {
    says: 'cards that nobody has used for long, and what became income of them', words: [],
    call: () => get('/v1/forgotten-cards')
  },
  'take-value': {
    says: 'propose that what is left on a forgotten card becomes income; two people approve',
    words: ['CARD', 'WHY…'],
    call: said => ofValue(said, 'residual')
  },
  'return-value': {
    says: 'its holder is back: propose that all of it is on the card again', words: ['CARD', 'WHY…'],
    call: said => ofValue(said, 'residual_return')
  },
  order: {
    says: 'the chip obeys at its next reader: unblock_pin, block_application …',
    words: ['CARD', 'ORDER', 'WHY…'],
    call: said => post('/v1/card-orders', {
      card: card(said['CARD']), order: { name: said['ORDER'] }, reason: said['WHY']
    })
  },
  'new-pin': {
    says: 'the PIN that an order gave', words: ['ORDER'],
    call: said => ({ method: 'POST', path: `/v1/card-orders/${said['ORDER']}/pin` })
  },
  'bind-phone': {
    says: 'a phone gets codes for a card: its token is shown once', words: ['CARD', 'PROGRAM'],
    call: said => post(ofCard(said, 'phones'), { party: said['PROGRAM'] })
  },
  'end-phone': {
    says: 'that phone gets no codes any more', words: ['CARD', 'PHONE'],
    call: said => ({ method: 'POST', path: ofCard(said, `phones/${said['PHONE']}/end`) })
  },
  codes: {
    says: 'phones of a card, and what their codes paid', words: ['CARD'],
    call: said => get(ofCard(said, 'codes'))
  },
  batch: {
    says: 'how far a batch of blank cards is, and what was spoiled', words: ['BATCH'],
    call: said => get(`/v1/issuing/batches/${encodeURIComponent(said['BATCH'] ?? '')}`)
  },
  waiting: {
    says: 'value that waits for a card', words: ['CARD'],
    call: said => get(`/v1/loads?card=${(card(said['CARD']), said['CARD'])}`)
  }
}

/** The call that a command line means. Throws UsageError. */
export function readCommand (args: readonly string[]): Call {
  const [name = '', ...rest] = args
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    throw new UsageError(name === '' ? usage() : `there is no “${name}”\n\n${usage()}`)
  }
  const said: Record<string, string> = {}
  const words: string[] = []
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? ''
    if (!word.startsWith('--')) {
      words.push(word)
      continue
    }
    const option = word.slice(2)
    const takes = command.options?.[option]
    if (takes === undefined) throw new UsageError(`${name} knows no ${word}: ${usageOf(name, command)}`)
    const value = takes === '' ? 'true' : rest[++at]
    if (value === undefined) throw new UsageError(`${word} says no ${takes}: ${usageOf(name, command)}`)
    said[option] = value
  }
  const places = command.words
  const last = places.at(-1)?.endsWith('…') === true
  if (words.length < places.length || (words.length > places.length && !last)) {
    throw new UsageError(usageOf(name, command))
  }
  for (const [place, word] of places.entries()) {
    const isLast = last && place === places.length - 1
    said[word.replace('…', '')] = isLast ? words.slice(place).join(' ') : words[place] ?? ''
  }
  return command.call(said)
}

const usageOf = (name: string, { words, options = {} }: Command): string => [
  name, ...words, ...Object.entries(options).map(([option, takes]) =>
    `[--${option}${takes === '' ? '' : ` ${takes}`}]`)].join(' ')

export function usage (): string {
  const lines = Object.entries(commands)
    .map(([name, command]) => [usageOf(name, command), command.says] as const)
  return ['npm run clerk -- COMMAND …', '',
    ...lines.map(([line, says]) => `  ${line}\n      ${says}`), '',
    'A card is ISSUER-SERIAL-ISSUE. CLERK_LEDGER is the ledger\'s address, CLERK_NAME and CLERK_PASSWORD',
    'whose counter it is; a repeat of one command after a broken line: the same --key TEXT before it.'
  ].join('\n')
}
