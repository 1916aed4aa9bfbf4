// Answers of our own library service: each SIP2 message is one question to the ledger over HTTP, one row
// each. It refuses to know wires and rules of lending.
import type { TSchema, Static } from 'typebox'
import { Check } from 'typebox/value'
import { formatIso, fromDigits } from '../../runtime/instants.ts'
import { HttpAnswerError, type HttpClient } from '../../runtime/http-client.ts'
import {
  CirculationReply, LibraryItem, LibraryPaymentReply, PatronReply, RenewalsReply, type LibraryPatron
} from '../../schemas/library.ts'
import type { Sip2Settings } from '../../schemas/sip2/config.ts'
import {
  amountText, countText, digitsOfDate, fenOf, say, valueOf, yesNo, type Field, type Message, type Said
} from '../../schemas/sip2/message.ts'
import type { Code, Tag } from '../../schemas/sip2/messages.ts'
import type { Answered, LibrarySystem, Question } from './library.ts'
import {
  dateOf, field, fields, flag, isChinese, money, nobodyStatus, optional, ownText, reasonText, statusOf
} from './words.ts'

export type OursOptions = {
  readonly http: Pick<HttpClient, 'get' | 'post' | 'put'>
  readonly settings: Sip2Settings
  readonly now: () => number
  readonly nowMs: () => number
  readonly onRefused: (why: string) => void
}

export function ourLibrary (options: OursOptions): LibrarySystem {
  return {
    answer: async question => {
      const answer = answers[question.message.code]
      if (answer === undefined) return 'away'
      try {
        return await answer(newDesk(options, question))
      } catch (error) {
        if (!(error instanceof Away)) throw error
        return error.refused || question.message.code !== '37' ? 'away' : 'unknown'
      }
    },
    isThere: async () => await options.http.get('/readyz', { tries: 1, tryTimeoutMs: probeMs })
      .then(() => true, () => false),
    close: () => undefined
  }
}
const probeMs = 2_000

/** The ledger cannot be asked; `refused`: it said that no repeat will help. */
class Away extends Error {
  readonly refused: boolean
  constructor (why: string, refused: boolean) {
    super(why)
    this.name = 'Away'
    this.refused = refused
  }
}

/* ---- one question ---- */

type Desk = {
  readonly message: Message, readonly settings: Sip2Settings, readonly question: Question
  readonly date: string, readonly chinese: boolean
  /** What the terminal said, empty where it did not. */
  readonly said: (tag: Tag) => string
  readonly ask: <S extends TSchema>(
    method: 'get' | 'post' | 'put', path: string, reply: S, body?: object
  ) => Promise<Static<S> | null>
  readonly atMs: number
}

function newDesk ({ http, settings, now, nowMs, onRefused }: OursOptions, question: Question): Desk {
  const { message } = question
  const atMs = now()
  async function ask<S extends TSchema> (
    method: 'get' | 'post' | 'put', path: string, reply: S, body?: object
  ): Promise<Static<S> | null> {
    const endMs = nowMs() + settings.answerSeconds * 1_000
    const where = `/v1/library/${settings.library}/${path}`
    for (;;) {
      try {
        const options = { tries: 1, tryTimeoutMs: Math.max(1, Math.ceil(endMs - nowMs())) }
        const got = method === 'get'
          ? await http.get(where, options)
          : await http[method](where, body, options)
        if (Check(reply, got)) return got as Static<S>
        throw new Away('the ledger answered something else', false)
      } catch (error) {
        if (error instanceof HttpAnswerError) {
          if (error.status === 404) return null
          onRefused(error.message)
          throw new Away(error.message, true)
        }
        if (error instanceof Away || nowMs() + retryMs >= endMs) {
          throw new Away((error as Error).message, false)
        }
        await new Promise(resolve => setTimeout(resolve, retryMs))
      }
    }
  }
  return {
    message, settings, question, atMs, ask, date: dateOf(atMs), chinese: isChinese(message, settings),
    said: tag => valueOf(message, tag) ?? ''
  }
}
const retryMs = 200

const institution = ({ settings }: Desk): Field => field('AO', settings.institution)
const languageOf = ({ message, settings }: Desk): string =>
  message.fixed['language'] ?? settings.chinese

/* ---- readers ---- */

const tokenPattern = /^[0-9A-Za-z._-]{1,40}$/

/** A number that cannot be one is not asked for. */
async function lookUp (desk: Desk): Promise<PatronReply | null> {
  const { said, ask } = desk
  if (!tokenPattern.test(said('AA'))) return { outcome: 'declined', reason: 'patron_unknown', patron: null }
  const password = said('AD')
  return await ask('post', 'patrons/look-up', PatronReply,
    { token: said('AA'), ...password === '' ? {} : { password: password.slice(0, 64) } })
}

/** What all answers about a reader say first. */
function readerFields (desk: Desk, reply: PatronReply | null): Field[] {
  const patron = reply?.patron ?? null
  return [
    institution(desk), field('AA', desk.said('AA')), field('AE', patron?.name ?? ''),
    flag('BL', patron !== null), flag('CQ', patron !== null && passwordHolds(patron))
  ]
}

const passwordHolds = ({ passwordRight, hasPassword }: LibraryPatron): boolean =>
  passwordRight ?? !hasPassword

function screen (desk: Desk, reply: PatronReply | null): Field | null {
  const reason = reply?.patron?.whyNot ?? reply?.reason ?? 'patron_unknown'
  return reason === 'ok' ? null : field('AF', reasonText(reason, desk.chinese))
}

const fixedOfReader = (desk: Desk, reply: PatronReply | null) => ({
  patronStatus: reply?.patron == null ? nobodyStatus : statusOf(reply.patron),
  language: languageOf(desk), date: desk.date
})

async function patronStatus (desk: Desk): Promise<Said> {
  return statusAnswer(desk, await lookUp(desk))
}

function statusAnswer (desk: Desk, reply: PatronReply | null): Said {
  const owedFen = Math.max(0, reply?.patron?.owedFen ?? 0)
  return say('24', fixedOfReader(desk, reply), fields(
    ...readerFields(desk, reply), field('BH', desk.settings.currency), money('BV', owedFen),
    screen(desk, reply)))
}

async function patronInformation (desk: Desk): Promise<Said> {
  const reply = await lookUp(desk)
  const patron = reply?.patron ?? null
  const lists = patron === null ? noLists : listsOf(patron)
  const count = (tag: keyof typeof noLists): string => countText(lists[tag].length)
  return say('64', {
    ...fixedOfReader(desk, reply), holds: count('AS'), overdue: count('AT'), charged: count('AU'),
    fines: count('AV'), recalls: count('BU'), unavailableHolds: count('CD')
  }, fields(
    ...readerFields(desk, reply),
    ...patron === null ? [] : limitsOf(desk, patron),
    ...wantedList(desk, lists), screen(desk, reply)))
}

const limitsOf = (desk: Desk, { rules, owedFen }: LibraryPatron): Field[] => [
  field('BZ', countText(rules.holdsMax)), field('CB', countText(rules.loansMax)),
  field('BH', desk.settings.currency), money('BV', Math.max(0, owedFen)), money('CC', rules.blockAboveFen)]

type Lists = Readonly<Record<'AS' | 'AT' | 'AU' | 'AV' | 'BU' | 'CD', readonly string[]>>
const noLists: Lists = { AS: [], AT: [], AU: [], AV: [], BU: [], CD: [] }

/** A fine item begins with its fee identifier, as 37 wants it in CG, and what is left to pay. */
function listsOf ({ loans, holds }: LibraryPatron): Lists {
  const lent = loans.filter(({ returned }) => !returned)
  return {
    AS: holds.filter(({ available }) => available).map(({ item }) => item),
    AT: lent.filter(({ overdue }) => overdue).map(({ item }) => item),
    AU: lent.map(({ item }) => item),
    AV: loans.filter(({ leftFen }) => leftFen > 0)
      .map(({ fee, leftFen, title }) => `${fee} ${amountText(leftFen)} ${title}`),
    BU: [],
    CD: holds.filter(({ available }) => !available).map(({ item }) => item)
  }
}

/** The one list whose place in the summary says Y, from BP to BQ. */
function wantedList ({ message, said }: Desk, lists: Lists): Field[] {
  const order = ['AS', 'AT', 'AU', 'AV', 'BU', 'CD'] as const
  const tag = order[(message.fixed['summary'] ?? '').indexOf('Y')]
  if (tag === undefined) return []
  const [first, last] = [said('BP'), said('BQ')].map(text => /^\d{1,4}$/.test(text) ? Number(text) : null)
  return lists[tag].slice(Math.max(0, (first ?? 1) - 1), last ?? undefined).map(item => field(tag, item))
}

async function block (desk: Desk): Promise<Said> {
  const { said, message, ask } = desk
  const retained = message.fixed['retained'] === 'Y'
  const json = { token: said('AA'), note: said('AL').slice(0, 200), retained }
  const reply = tokenPattern.test(json.token) ? await ask('post', 'patrons/block', PatronReply, json) : null
  return statusAnswer(desk, reply)
}

async function enable (desk: Desk): Promise<Said> {
  const token = desk.said('AA')
  const reply = tokenPattern.test(token)
    ? await desk.ask('post', 'patrons/enable', PatronReply, { token })
    : null
  return say('26', fixedOfReader(desk, reply), fields(...readerFields(desk, reply), screen(desk, reply)))
}

const endSession = async (desk: Desk): Promise<Said> =>
  say('36', { ended: 'Y', date: desk.date }, [institution(desk), field('AA', desk.said('AA'))])

/* ---- books ---- */

const itemPattern = /^[!-{}~]{1,64}$/
const fine = { outcome: 'approved', reason: 'ok' } as const
const refused = {
  outcome: 'declined', reason: 'item_unknown', title: '', dueOn: null, renewed: false, forSomebody: false,
  fee: null, token: null, queue: 0
} as const satisfies CirculationReply

const isSensible = ({ said }: Desk): boolean => tokenPattern.test(said('AA')) && itemPattern.test(said('AB'))

async function checkout (desk: Desk): Promise<Said> {
  const { said, message, ask } = desk
  const reply = isSensible(desk)
    ? await ask('post', 'checkouts', CirculationReply, {
      token: said('AA'), item: said('AB'), renewal: message.fixed['renewalPolicy'] === 'Y',
      done: message.fixed['noBlock'] === 'Y'
    })
    : null
  return lendingAnswer(desk, '12', reply ?? refused)
}

function lendingAnswer (desk: Desk, code: '12' | '30', reply: CirculationReply): Said {
  const { said, chinese } = desk
  const ok = reply.outcome === 'approved'
  return say(code, {
    ok: ok ? '1' : '0', renewed: yesNo(ok && (code === '30' || reply.renewed)), magneticMedia: 'U',
    desensitize: yesNo(ok && code === '12'), date: desk.date
  }, fields(
    institution(desk), field('AA', said('AA')), field('AB', said('AB')), field('AJ', reply.title),
    field('AH', reply.dueOn ?? ''), ok ? null : field('AF', reasonText(reply.reason, chinese))))
}

async function checkin (desk: Desk): Promise<Said> {
  const { said, message, ask, chinese } = desk
  const returnedAt = message.fixed['noBlock'] === 'Y' ? instantOf(message.fixed['returnDate'] ?? '') : null
  const reply = (itemPattern.test(said('AB'))
    ? await ask('post', 'checkins', CirculationReply,
      { item: said('AB'), ...returnedAt === null ? {} : { returnedAt } })
    : null) ?? refused
  const { outcome, reason, title, token, forSomebody, fee } = reply
  const ok = outcome === 'approved'
  const shown = fee === null ? null : `${fee.fee} ${amountText(fee.leftFen)}`
  return say('10', {
    ok: ok ? '1' : '0', resensitize: yesNo(ok), magneticMedia: 'U', alert: yesNo(forSomebody), date: desk.date
  }, fields(
    institution(desk), field('AB', said('AB')), field('AQ', ''), field('AJ', title), optional('AA', token),
    ok ? optional('AF', shown) : field('AF', reasonText(reason, chinese))))
}

/** When it was brought back while we were away; null where that cannot be read. */
function instantOf (date: string): string | null {
  const digits = digitsOfDate(date)
  const atMs = digits === null ? null : fromDigits(digits)
  return atMs === null ? null : formatIso(atMs)
}

async function renew (desk: Desk): Promise<Said> {
  const { said, ask } = desk
  const item = said('AB')
  const reply = isSensible(desk)
    ? await ask('post', 'renewals', RenewalsReply, { token: said('AA'), item })
    : null
  const dueOn = reply?.renewed[0]?.dueOn ?? null
  return lendingAnswer(desk, '30', dueOn === null
    ? { ...refused, reason: reply?.reason ?? 'item_unknown' }
    : { ...refused, ...fine, dueOn })
}

async function renewAll (desk: Desk): Promise<Said> {
  const { said, ask, chinese } = desk
  const reply = tokenPattern.test(said('AA'))
    ? await ask('post', 'renewals', RenewalsReply, { token: said('AA') })
    : null
  const { renewed = [], unrenewed = [], reason = 'patron_unknown' } = reply ?? {}
  return say('66', {
    ok: reason === 'ok' || renewed.length > 0 ? '1' : '0', renewedCount: countText(renewed.length),
    unrenewedCount: countText(unrenewed.length), date: desk.date
  }, fields(
    institution(desk), ...renewed.map(({ item }) => field('BM', item)),
    ...unrenewed.map(({ item }) => field('BN', item)),
    reason === 'ok' ? null : field('AF', reasonText(reason, chinese))))
}

async function hold (desk: Desk): Promise<Said> {
  const { said, message, ask, chinese } = desk
  const mode = message.fixed['mode']
  const possible = (mode === '+' || mode === '-') && isSensible(desk)
  const reply = possible
    ? await ask('post', 'holds', CirculationReply,
      { token: said('AA'), item: said('AB'), cancel: mode === '-' })
    : null
  const { outcome, reason, title, queue } = reply ?? refused
  const ok = outcome === 'approved'
  const words = possible ? reasonText(reason, chinese) : ownText('not_possible', chinese)
  return say('16', { ok: ok ? '1' : '0', available: 'N', date: desk.date }, fields(
    queue === 0 ? null : field('BR', queue), institution(desk), field('AA', said('AA')),
    field('AB', said('AB')), field('AJ', title), ok ? null : field('AF', words)))
}

/** Circulation status of the standard: 03 available, 04 charged, 08 waits on the hold shelf, 01 other. */
const circulation = { available: '03', lent: '04', on_hold: '08' } as const

async function itemInformation (desk: Desk): Promise<Said> {
  const { said, ask, settings, chinese } = desk
  const item = itemPattern.test(said('AB'))
    ? await ask('get', `items/${encodeURIComponent(said('AB'))}`, LibraryItem)
    : null
  return say('18', {
    circulation: item === null ? '01' : circulation[item.state], security: '00',
    feeType: settings.overdueFee, date: desk.date
  }, fields(
    field('CF', item?.holds ?? 0), optional('AH', item?.dueOn), field('AB', said('AB')),
    field('AJ', item?.title ?? ''), field('BH', settings.currency), money('BV', item?.fineFen ?? 0),
    optional('CH', item?.properties),
    item === null ? field('AF', reasonText('item_unknown', chinese)) : null))
}

async function itemUpdate (desk: Desk): Promise<Said> {
  const { said, ask, message, chinese } = desk
  const properties = valueOf(message, 'CH')?.slice(0, 200)
  const item = properties !== undefined && itemPattern.test(said('AB'))
    ? await ask('put', `items/${encodeURIComponent(said('AB'))}`, LibraryItem, { properties })
    : null
  return say('20', { ok: item === null ? '0' : '1', date: desk.date }, fields(
    field('AB', said('AB')), field('AJ', item?.title ?? ''), optional('CH', item?.properties),
    item === null ? field('AF', reasonText('item_unknown', chinese)) : null))
}

/* ---- money ---- */

async function feePaid (desk: Desk): Promise<Said> {
  const { said, settings, message, question: { transaction, terminal }, ask, chinese } = desk
  const amountFen = fenOf(said('BV'))
  const answer = (accepted: boolean, words: string): Said =>
    say('38', { accepted: yesNo(accepted), date: desk.date },
      fields(institution(desk), field('AA', said('AA')), field('BK', transaction), optional('AF', words)))
  if (amountFen === null || amountFen === 0) return answer(false, ownText('amount', chinese))
  if (message.fixed['currency'] !== settings.currency) return answer(false, ownText('currency', chinese))
  const by = paidBy(settings, message, transaction)
  const fee = said('CG')
  if (by === null || !tokenPattern.test(said('AA'))) return answer(false, ownText('not_possible', chinese))
  if (fee !== '' && !/^F\d{1,15}$/.test(fee)) return answer(false, reasonText('fee_unknown', chinese))
  const reply = await pay(desk, ask, {
    transaction, token: said('AA'), amountFen, by, ...fee === '' ? {} : { fee },
    ...terminal === null ? {} : { terminal }
  })
  if (reply === null) return answer(false, ownText('reused', chinese))
  return answer(reply.outcome === 'approved', reasonText(reply.reason, chinese))
}

/** A conflict is an answer: the id belongs to another payment. */
async function pay (
  _desk: Desk, ask: Desk['ask'], json: object
): Promise<LibraryPaymentReply | null> {
  try {
    return await ask('post', 'payments', LibraryPaymentReply, json)
  } catch (error) {
    if (error instanceof Away && error.refused) return null
    throw error
  }
}

/** PSAM and sequence in BK: a chip has paid, and its record says so. */
const ofChip = /^[0-9A-F]{12}-\d{1,10}$/
const paidBy = (
  { payments }: Sip2Settings, { fixed }: Message, transaction: string
): 'online' | 'cash' | 'purse' | null =>
  ofChip.test(transaction) ? 'purse' : payments[fixed['paymentType'] ?? ''] ?? null

/* ---- all of them ---- */

const answers: Partial<Record<Code, (desk: Desk) => Promise<Answered>>> = {
  23: patronStatus, 63: patronInformation, '01': block, 25: enable, 35: endSession, 11: checkout,
  '09': checkin, 29: renew, 65: renewAll, 15: hold, 17: itemInformation, 19: itemUpdate, 37: feePaid
}
