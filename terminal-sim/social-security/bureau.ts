// The registry of social-security cards as another system: hears signed calls, keeps for each card the latest
// that it heard, and answers what it is asked. Shares no code with the ledger. Where its words go is the
// caller's affair.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Event } from '../../schemas/events.ts'

export type HeardCard = {
  readonly state: string, readonly sequence: number, readonly move: string | null, readonly by: string | null
}
export type Question = { readonly application: number, readonly state: string }

export type Bureau = {
  readonly url: string
  /** By the name that events have. */
  readonly cards: Map<string, HeardCard>
  /** Secrets of its webhooks, `whsec_…`; calls that none of them signs are turned away. */
  readonly secrets: string[]
  /** The next so many calls are answered 503, as by a house whose line is down. */
  down (calls: number): void
  close (): Promise<void>
}

export type BureauOptions = {
  readonly port: number
  readonly now: () => number
  /** Each call, once it is answered. */
  readonly onCall: (line: string) => void
  /** The house asks about an application. */
  readonly onQuestion: (question: Question) => void
}

type Data = Record<string, string | number | null>

export async function startBureau ({ port, now, onCall, onQuestion }: BureauOptions): Promise<Bureau> {
  const cards = new Map<string, HeardCard>()
  const secrets: string[] = []
  const heard = new Set<string>()
  let downFor = 0

  function take (headers: IncomingMessage['headers'], body: string): readonly [status: number, said: string] {
    if (downFor > 0) {
      downFor--
      return [503, 'the line is down']
    }
    if (!secrets.some(secret => isSigned(headers, body, secret, now()))) {
      return [401, 'not signed by the house']
    }
    const event = JSON.parse(body) as Event
    const said = wordsOf(event)
    if (heard.has(event.id)) return [204, `${said} (heard before)`]
    heard.add(event.id)
    const data = event.data as Data
    if (event.type === 'social.application') {
      const { application, state } = data
      const question = { application: Number(application), state: String(state) }
      if (question.state.endsWith('_asked')) onQuestion(question)
      return [204, said]
    }
    const before = cards.get(String(data['card']))
    // No order on the way: what is older than what is known is heard and left.
    if (before !== undefined && before.sequence > event.sequence) return [204, `${said} (older, left)`]
    const { to, move, by } = data
    cards.set(String(data['card']), {
      state: String(to), sequence: event.sequence, move: String(move), by: String(by)
    })
    return [204, said]
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      const [status, said] = take(request.headers, Buffer.concat(chunks).toString('utf8'))
      response.writeHead(status).end()
      onCall(`← ${said} → ${status}`)
    })
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`, cards, secrets,
    down: calls => { downFor = calls },
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

function wordsOf ({ type, sequence, data }: Event): string {
  const { card, application, holder, move, from, to, state, by, message } = data as Data
  const who = `by ${by}${message === null ? '' : ` after ${message}`}, holder ${maskedHolder(holder ?? null)}`
  return type === 'social.application'
    ? `#${sequence} application ${application}: ${state}, ${who}`
    : `#${sequence} ${card}: ${move}, ${from} → ${to}, ${who}`
}

const maskedHolder = (holder: string | number | null): string =>
  holder === null ? 'nobody' : `${String(holder).slice(0, 3)}…`

/** As Standard Webhooks has it. */
function isSigned (
  headers: IncomingMessage['headers'], body: string, secret: string, nowMs: number
): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > 300) return false
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const right = createHmac('sha256', key).update(`${String(id)}.${String(timestamp)}.${body}`).digest()
  return String(signatures).split(' ').some(one => {
    const [version, signature = ''] = one.split(',')
    const given = Buffer.from(signature, 'base64')
    return version === 'v1' && given.length === right.length && timingSafeEqual(given, right)
  })
}
