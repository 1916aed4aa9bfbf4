// SIP2 on a wire, whatever carries it: lines cut, error detection followed, sign-in, one question after the
// other, the last answer kept for whoever asks for it again. It refuses to know carriers and who answers.
import { createHash, timingSafeEqual } from 'node:crypto'
import { codePage } from '../../schemas/sip2/code-page.ts'
import { sip2Defaults, type Sip2Settings, type Sip2Speaks } from '../../schemas/sip2/config.ts'
import { lineCutter } from '../../schemas/sip2/lines.ts'
import {
  readMessage, say, valueOf, writeMessage, yesNo, type Message, type Said
} from '../../schemas/sip2/message.ts'
import { messageRow, supportedOrder } from '../../schemas/sip2/messages.ts'
import type { TerminalRef } from '../../schemas/terminals.ts'
import type { EdgeHouse, Face, PortHouse } from '../face.ts'
import type { Conversation, Wire } from '../wire/wire.ts'
import { openFees } from './fees.ts'
import { ilsLibrary } from './ils.ts'
import type { LibrarySystem } from './library.ts'
import { ourLibrary } from './ours.ts'
import { begins, clockOf, detectionAfter, isStale, next, type Signal, type State } from './session.ts'
import { unavailable } from './unavailable.ts'
import { dateOf, field, optional } from './words.ts'

type Counts = Record<'conversations' | 'messages' | 'answers' | 'resends' | 'errors' | 'unanswered', number>
type Shared = {
  readonly settings: Sip2Settings, readonly house: PortHouse, readonly library: LibrarySystem
  readonly counts: Counts
}

export async function sip2Face (speaks: Sip2Speaks, house: PortHouse, port: string): Promise<Face> {
  const settings: Sip2Settings = { ...sip2Defaults, ...speaks }
  const counts: Counts = { conversations: 0, messages: 0, answers: 0, resends: 0, errors: 0, unanswered: 0 }
  const library = await libraryOf(settings, house, `sip2-${port}`)
  const shared = { settings, house, library, counts }
  const talks = new Set<Talk>()
  return {
    begin: wire => {
      counts.conversations += 1
      const talk = beginTalk(wire, shared)
      talks.add(talk)
      return { ...talk, ended: why => { talks.delete(talk); talk.ended(why) } }
    },
    view: () => ({ protocol: 'sip2', counts: { ...counts } }),
    close: async () => {
      await Promise.all([...talks].map(talk => talk.rest()))
      await library.close()
    }
  }
}

async function libraryOf (
  settings: Sip2Settings, house: EdgeHouse, name: string
): Promise<LibrarySystem> {
  const { http, desk, clock, nowMs, log, spool } = house
  const { ils } = settings
  if (ils !== undefined) {
    const fees = await openFees(house.folder(name), clock, {}, failure => house.fail(name, failure))
    const hasRoom = () => spool.refusal() === null
    return await ilsLibrary({ ils, settings, fees, clock, desk, log, hasRoom })
  }
  return ourLibrary({
    http, settings, now: () => clock.now(), nowMs,
    onRefused: why => { log.error({ why }, 'the ledger refuses what a self-check asks') }
  })
}

/* ---- one terminal ---- */

type Talk = Conversation & {
  /** Resolves when nothing is being answered any more; begins nothing new. */
  rest (): Promise<void>
}
/** Most messages that wait behind one that is being answered; a self-check sends one at a time. */
const waitingMax = 16

function beginTalk (wire: Wire, { settings, house, library, counts }: Shared): Talk {
  const log = house.log.child({ wire: wire.name })
  const page = codePage(settings.codePage)
  const end = Buffer.from(settings.lineEnd === 'crlf' ? '\r\n' : '\r')
  const lines = lineCutter()
  let state: State = begins[settings.login]
  let detection = false
  let tries = 0
  let user = ''
  let terminal = settings.terminal ?? null
  /** Why it may not be served, as it was said last. */
  let unserved: string | null = null
  /** Bytes of the last answer, and of the message it was for. */
  let last: { readonly asked: Uint8Array, readonly answer: Uint8Array } | null = null
  let waiting = 0
  let resting = false
  let work: Promise<void> = Promise.resolve()
  let silence: NodeJS.Timeout | null = null
  const signIn = setTimeout(() => {
    if (state !== 'open') finish('silent', 'nobody has signed in')
  }, settings.loginSeconds * 1_000)

  function signal (what: Signal): void {
    state = next[state][what] ?? state
    if (state === 'open' || state === 'ended') clearTimeout(signIn)
  }
  function finish (what: Signal, why: string): void {
    if (state === 'ended') return
    signal(what)
    state = 'ended'
    wire.end(why)
  }
  /** From the last byte that came; off while an answer is being made. */
  function listen (): void {
    if (silence !== null) clearTimeout(silence)
    const { idleSeconds } = settings
    silence = idleSeconds === 0 || state === 'ended'
      ? null
      : setTimeout(() => finish('silent', `nothing for ${idleSeconds} s`), idleSeconds * 1_000)
  }
  async function send (bytes: Uint8Array): Promise<void> {
    await wire.write(Buffer.concat([bytes, end])).catch(() => undefined) // its end is told
  }
  function text (words: string): void {
    wire.write(Buffer.from(words)).catch(() => undefined) // its end is told
  }

  function bytes (given: Uint8Array): void {
    listen()
    for (const one of lines.push(given)) {
      if (resting || state === 'ended') return
      if ('overlong' in one) {
        counts.errors += 1
        log.warn({ bytes: one.overlong }, 'a message longer than any is dropped')
        continue
      }
      if (waiting >= waitingMax) return finish('over', `${waitingMax} messages wait already`)
      waiting += 1
      work = work.then(async () => {
        await take(one.line)
        waiting -= 1
      })
    }
  }

  async function take (line: Uint8Array): Promise<void> {
    if (state === 'ended') return
    if (state === 'asked_name' || state === 'asked_password') return prompted(line)
    counts.messages += 1
    const read = readMessage(line, page)
    if (!read.ok) {
      const { kind, field: name, offset, why } = read.wrong
      counts.errors += 1
      detection ||= read.wrong.detection
      log.warn({ kind, field: name, offset, why, bytes: line.length }, 'a message cannot be read')
      return await askAgain()
    }
    const { message } = read
    for (const remark of message.remarks) log.info({ code: message.code, remark }, 'odd message')
    if (message.code === '97') {
      detection ||= message.detection !== null
      return last === null ? await askAgain() : await resend(last.answer)
    }
    if (messageRow(message.code).by === 'library') {
      counts.errors += 1
      log.warn({ code: message.code }, 'an answer where a request belongs')
      return await askAgain()
    }
    if (settings.detection === 'required' && message.detection === null) {
      counts.errors += 1
      log.warn({ code: message.code }, 'a message without error detection is not taken here')
      return await askAgain()
    }
    follow(message)
    if (detection && last !== null && Buffer.from(line).equals(last.asked)) return await resend(last.answer)
    await answer(line, message)
  }

  async function askAgain (): Promise<void> {
    await send(writeMessage(say('96', {}), page, detection ? 'none' : null))
  }
  async function resend (answer: Uint8Array): Promise<void> {
    counts.resends += 1
    await send(answer)
  }
  function follow ({ detection: seen, code }: Message): void {
    const { on, changed } = detectionAfter(detection, seen !== null)
    detection = on
    if (changed) log.warn({ code }, 'a message without error detection after one with it: off from now on')
  }

  async function answer (line: Uint8Array, message: Message): Promise<void> {
    const said = await answerTo(message)
    if (said === null) {
      counts.unanswered += 1
      last = null
      return
    }
    const bytes = writeMessage(said, page, message.detection?.sequence ?? null)
    last = { asked: Uint8Array.from(line), answer: bytes }
    counts.answers += 1
    await send(bytes)
    if (tries >= settings.loginTries) finish('too_often', 'signed in wrongly too often')
  }

  /** Null: the outcome is open, and the same question with the same transaction finds out. */
  async function answerTo (message: Message): Promise<Said | null> {
    const date = dateOf(house.clock.now())
    if (message.code === '93') {
      const right = check(valueOf(message, 'CN') ?? '', valueOf(message, 'CO') ?? '')
      return say('94', { ok: right ? '1' : '0' })
    }
    if (message.code === '99') return await status(message, date)
    if (!isServed()) return unavailable(message, settings, date, 'not_possible')
    if (terminal !== null) {
      const of = { operator: settings.library, terminal }
      const clockMs = clockOf(message)
      house.terminals.heard(of, clockMs === null ? {} : { clockMs })
      if (house.guard.tooBusy(of) !== null) return unavailable(message, settings, date)
    }
    if (isStale(message, house.clock.now(), settings.staleMinutes)) {
      log.warn({ terminal, code: message.code }, 'a message of another time: recorded, or a clock is wrong')
      return unavailable(message, settings, date, 'stale')
    }
    const transaction = valueOf(message, 'BK') || transactionOf(message)
    const answered = await library.answer({ message, terminal, transaction }).catch((error: unknown) => {
      log.error({ err: error, transaction }, 'a message was not answered')
      return 'unknown' as const
    })
    if (answered === 'away') return unavailable(message, settings, date)
    if (answered !== 'unknown') return answered
    log.error({ transaction }, 'a payment has no known outcome: the same message finds out')
    return null
  }

  async function status ({ fixed }: Message, date: string): Promise<Said> {
    if (fixed['statusCode'] === '2') log.warn({ terminal }, 'the self-check is about to shut down')
    const there = isServed() && await library.isThere()
    const yes = yesNo(there)
    const { timeoutTenths, retries, institution, name } = settings
    return say('98', {
      online: yes, checkin: yes, checkout: yes, renewal: yes, statusUpdate: yes, offlineOk: 'Y',
      timeout: String(timeoutTenths).padStart(3, '0'), retries: String(retries).padStart(3, '0'), date,
      version: '2.00'
    }, [
      field('AO', institution), field('AM', name), field('BX', 'Y'.repeat(supportedOrder.length)),
      ...[optional('AN', terminal)].filter(one => one !== null)])
  }

  function check (name: string, password: string): boolean {
    const login = settings.logins.find(one => same(one.user, name))
    const right = same(login?.password ?? '', password) && login !== undefined &&
      mayServe({ operator: settings.library, terminal: login.terminal })
    tries = right ? 0 : tries + 1
    if (right) terminal = login.terminal
    else log.warn({ user: name.slice(0, 64), tries }, 'a sign-in was refused')
    signal(right ? 'right' : 'wrong')
    return right
  }
  function mayServe (of: TerminalRef): boolean {
    const found = house.terminals.find(of.terminal, of.operator)
    const why = found.ok ? house.guard.stranger(wire, of) : found.why
    if (why !== null && why !== unserved) log.warn({ why }, 'the terminal may not be served')
    unserved = why
    return why === null
  }
  /** Asked with each message: a terminal may be stopped, or bound to a certificate, while it is here. */
  function isServed (): boolean {
    return state === 'open' && (terminal === null || mayServe({ operator: settings.library, terminal }))
  }

  /** Telnet's way: a name, a password, three times at most. */
  function prompted (line: Uint8Array): void {
    const word = Buffer.from(line).toString('utf8').trim()
    if (state === 'asked_name') {
      user = word
      signal('word')
      return text('Password: ')
    }
    if (check(user, word)) return text('Login OK.\r\n')
    if (tries >= settings.loginTries) return finish('too_often', 'signed in wrongly too often')
    text('Login failed.\r\nlogin: ')
  }
  if (state === 'asked_name') text('login: ')
  listen()

  return {
    bytes,
    ended: () => {
      signal('over')
      state = 'ended'
      clearTimeout(signIn)
      listen()
    },
    rest: async () => {
      resting = true
      await work
    }
  }
}

const digest = (words: string): Buffer => createHash('sha256').update(words).digest()
const same = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))

/** A payment that names no transaction is named by what it says, its date included: a repeat is the same. */
function transactionOf ({ code, fixed, fields }: Message): string {
  const said = fields.filter(([tag]) => tag !== 'AC' && tag !== 'AD')
  return `D-${digest(JSON.stringify([code, fixed, said])).toString('hex').slice(0, 24)}`
}
