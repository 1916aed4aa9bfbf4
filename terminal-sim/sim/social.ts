// `sim registry`: the registry of social-security cards. It is told of them by signed webhooks, answers
// questions about applications, says of cards what it decides, and compares what both sides have.
import type { CardRef } from '../../schemas/record.ts'
import { cardKey } from '../../schemas/record.ts'
import {
  questionOf, socialAnswers, type SocialCardView, type SocialReply
} from '../../schemas/social-security.ts'
import { formatIso } from '../../runtime/instants.ts'
import { maskCard } from '../../runtime/log.ts'
import { type Bureau, startBureau } from '../social-security/bureau.ts'
import type { Command, Given } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { cardSaid } from './place.ts'

const say = (line: string): void => { console.log(line) }

const words = {
  cards: ['', 'cards of social security as the ledger lists them, and what was heard of each'],
  lost: ['CARD [MINUTES-AGO]', 'it was reported lost here; of two deeds the later one counts'],
  lifted: ['CARD [MINUTES-AGO]', 'the report was lifted here'],
  cancelled: ['CARD [MINUTES-AGO]', 'it is none of social security any more'],
  replaced: ['CARD NEXT [MINUTES-AGO]', 'another card took its place'],
  answer: ['APPLICATION ANSWER [MINUTES-AGO]', `about an application: ${socialAnswers.join(', ')}`],
  again: ['', 'the last message once more, as it was'],
  down: ['CALLS', 'so many calls of the ledger are answered 503: it tells them again'],
  compare: ['', 'the state of each card here and there; ends a script with 1 where they differ']
} as const satisfies Words

type Line = {
  get<T> (path: string): Promise<T>
  post<T> (path: string, body: object): Promise<T>
}

async function run (given: Given): Promise<number> {
  const line = lineTo(given.text('ledger'), given.text('token'))
  const tell = teller(line)
  const bureau = await startBureau({
    port: given.whole('port', 0, 65_535), now: Date.now, onCall: say,
    onQuestion: ({ application, state }) => {
      const yes = socialAnswers.find(one => questionOf(one) === state && !one.endsWith('refused'))
      if (!given.has('approve') || yes === undefined) return
      tell.about(`applications/${application}`, { to: yes }).then(say, (error: Error) => say(error.message))
    }
  })
  try {
    await subscribe(bureau, line)
    for (const { name, state } of await listed(line)) {
      bureau.cards.set(name, { state, sequence: 0, move: null, by: null })
    }
    say(`the registry is at ${bureau.url}, and knows ${bureau.cards.size} cards`)
    const code = await obey(deedsFor(bureau, line, tell), { say, script: given.maybe('script') })
    if (given.has('stay')) await new Promise<void>(resolve => { process.once('SIGTERM', () => resolve()) })
    return code
  } catch (error) {
    if (!(error instanceof DeedError)) throw error
    say(error.message)
    return 1
  } finally {
    await bureau.close()
  }
}

function lineTo (ledger: string, token: string): Line {
  async function call<T> (path: string, more: RequestInit): Promise<T> {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await fetch(new URL(path, ledger), { headers, ...more })
      .catch((error: Error) => { throw new DeedError(`no ledger answers: ${error.message}`) })
    if (response.ok) return await response.json() as T
    const { reason, detail, where } = await response.json() as Record<string, string>
    throw new DeedError(`${response.status} ${reason ?? ''} ${where ?? ''}: ${detail ?? ''}`)
  }
  return {
    get: path => call(path, {}),
    post: (path, body) => call(path, { method: 'POST', body: JSON.stringify(body) })
  }
}

/** Once a place: a webhook of before that leads here goes on. */
async function subscribe ({ url, secrets }: Bureau, line: Line): Promise<void> {
  const { items } = await line.get<{ items: { id: number, url: string }[] }>('/v1/webhooks?limit=100')
  const topics = ['social.card', 'social.application']
  const { id } = items.find(one => one.url === url) ??
    await line.post<{ id: number }>('/v1/webhooks', { url, topics })
  secrets.push((await line.get<{ secret: string }>(`/v1/webhooks/${id}/secret`)).secret)
}

async function listed (line: Line): Promise<SocialCardView[]> {
  const all: SocialCardView[] = []
  for (let after: string | null = ''; after !== null;) {
    const path = `/v1/social-security/cards?limit=1000${after === '' ? '' : `&after=${after}`}`
    const page: { items: SocialCardView[], next: string | null } = await line.get(path)
    all.push(...page.items)
    after = page.next
  }
  return all
}

type Teller = {
  about (what: string, more: object, minutesAgo?: string): Promise<string>
  again (): Promise<string>
}

/** Messages with names that no run before had. */
function teller (line: Line): Teller {
  const started = Date.now().toString(36)
  let count = 0
  let last: { readonly path: string, readonly body: object } | null = null
  async function send (): Promise<string> {
    if (last === null) throw new DeedError('nothing was said yet')
    const { id, outcome, state, replayed } = await line.post<SocialReply>(last.path, last.body)
    return `→ ${id}: ${outcome}, ${state}${replayed ? ' (its first answer)' : ''}`
  }
  return {
    about: async (what, more, minutesAgo = '0') => {
      if (!/^\d{1,6}$/.test(minutesAgo)) throw new DeedError(`${minutesAgo}: whole minutes are wanted`)
      const at = formatIso(Date.now() - Number(minutesAgo) * 60_000)
      const body = { id: `SIM-${started}-${++count}`, at, reason: 'decided at the registry', ...more }
      last = { path: `/v1/social-security/${what}/messages`, body }
      return await send()
    },
    again: send
  }
}

function deedsFor (bureau: Bureau, line: Line, tell: Teller): Deeds {
  const about = (said: string): string => `cards/${cardKey(numberOf(said))}`
  const word = (says: string) => async ([said = '', minutes]: readonly string[]) =>
    await tell.about(about(said), { says }, minutes)
  const bothSides = async (): Promise<{ readonly line: string, readonly same: boolean }[]> =>
    (await listed(line)).map(({ card, name, holder, state }) => {
      const heard = bureau.cards.get(name)
      const whose = holder === null ? 'of nobody' : `of ${holder.slice(0, 3)}…`
      const by = heard?.move == null ? '' : `: ${heard.move} by ${heard.by}`
      return {
        line: `${maskCard(cardKey(card))} ${name} ${whose}: ${state}, ` +
          `heard ${heard?.state ?? 'nothing'}${by}`,
        same: heard?.state === state
      }
    })
  return deedsOf(words, {
    cards: async () => (await bothSides()).map(one => one.line).join('\n') || 'none',
    lost: word('lost'), lifted: word('lifted'), cancelled: word('cancelled'),
    replaced: async ([said = '', next = '', minutes]) =>
      await tell.about(about(said), { says: 'replaced', to: numberOf(next) }, minutes),
    answer: async ([application = '', to = '', minutes]) => {
      if (!/^\d{1,15}$/.test(application)) throw new DeedError(`${application}: a number is wanted`)
      return await tell.about(`applications/${application}`, { to }, minutes)
    },
    again: async () => await tell.again(),
    down: async ([calls = '']) => {
      if (!/^\d{1,3}$/.test(calls)) throw new DeedError(`${calls}: how many calls?`)
      bureau.down(Number(calls))
    },
    compare: async () => {
      const other = (await bothSides()).filter(one => !one.same)
      if (other.length === 0) return `${bureau.cards.size} cards, the same on both sides`
      throw new DeedError(`other on both sides:\n${other.map(one => one.line).join('\n')}`)
    }
  })
}

function numberOf (said: string): CardRef {
  const card = cardSaid(said)
  if (card !== null) return card
  throw new DeedError(`${said}: a card is written ISSUER-SERIAL-ISSUE, those of the town 1 to 3`)
}

export const social: Command = {
  name: 'registry',
  says: 'the registry of social-security cards: told by webhooks, answers, says what it decides',
  options: {
    ledger: { value: 'URL', says: 'where the ledger answers; it must be allowed private addresses' },
    token: { value: 'TOKEN', says: 'of a machine of kind social-security' },
    port: { value: 'PORT', says: 'where it listens; 0: any free one', or: '7012' },
    approve: { says: 'answers each question about an application: approved' },
    stay: { says: 'goes on when the lines are over, until it is ended' },
    script: { value: 'FILE', says: 'reads lines from there, not from the keyboard' }
  },
  typed: typedRows(words),
  examples: [
    ['registry --ledger http://127.0.0.1:8080 --token SOCIAL.… --approve', 'then: lost 2, lifted 2, compare']
  ],
  run
}
