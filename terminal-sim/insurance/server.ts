// A simulated centre of medical insurance behind HTTP: every message to one address. It can lose what comes
// in, or what goes out, and keep a message under way until it is let go.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buildAnswer, parseRequest, type RequestMessage } from '../../schemas/medical/message.ts'
import { dialects, numberOf } from '../../schemas/medical/messages.ts'
import { createCentre, type Centre, type Said } from './centre.ts'

/** `request`: it never arrives. `answer`: it is carried out, unheard. `late`: it arrives afterwards. */
export const losses = ['request', 'answer', 'late'] as const
export type Loss = typeof losses[number]

export type InsuranceCentre = Centre & {
  readonly url: string
  /** The next so many messages of a number. */
  readonly lose: (number: string, what: Loss, times?: number) => void
  /** What is under way arrives now. */
  readonly letGo: () => void
  /** Numbers of all messages that came in, those that were lost included. */
  readonly heard: () => readonly string[]
  readonly close: () => Promise<void>
}

const { national } = dialects

export async function startInsuranceCentre ({ now, port = 0, onMessage }: {
  readonly now: () => number, readonly port?: number
  /** Each message that came in, and what goes out; null: nothing, it is lost. */
  readonly onMessage?: (message: RequestMessage, said: Said | null) => void
}): Promise<InsuranceCentre> {
  const centre = createCentre({ now })
  const toLose = new Map<string, Loss[]>()
  const heard: string[] = []
  const underWay: (() => void)[] = []

  async function serve (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const read = parseRequest(national, Buffer.concat(parts))
    if (!read.ok) return send(response, buildAnswer('reverse', headOf(-1, `${read.field} ${read.why}`), null))
    const { message } = read
    const number = numberOf(national, message.name)
    heard.push(number)
    const loss = toLose.get(number)?.shift()
    if (loss === 'request') return onMessage?.(message, null)
    if (loss === 'late') {
      underWay.push(() => { centre.answer(message) })
      return onMessage?.(message, null)
    }
    const said = centre.answer(message)
    onMessage?.(message, loss === 'answer' ? null : said)
    if (loss === 'answer') return
    send(response, 'no' in said
      ? buildAnswer(message.name, headOf(-1, said.no), null)
      : buildAnswer(message.name, headOf(0, null), said.body as never))
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    ...centre,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    lose: (number, what, times = 1) => {
      toLose.set(number, [...toLose.get(number) ?? [], ...Array<Loss>(times).fill(what)])
    },
    letGo: () => { for (const arrive of underWay.splice(0)) arrive() },
    heard: () => heard,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    }
  }
}

const headOf = (infcode: number, words: string | null) =>
  ({ infcode, inf_refmsgid: null, refmsg_time: null, respond_time: null, err_msg: words })

function send (response: ServerResponse, bytes: Uint8Array): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(bytes)
}
