// A stand-in of the ledger for benches of the gateway: one tariff, an empty blacklist, takes every record,
// approves every request, and may lose answers or be away; a bench adds what else it asks for. It refuses to
// know what is right.
import { type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RecordDelivery } from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { NewRequest, RequestReply } from '../../schemas/request.ts'

export type StandIn = {
  readonly url: string
  /** Told of every record of a delivery that is answered, repeats included. */
  onRecords: (records: readonly TransactionRecord[]) => void
  /** Whether the answer to this call is lost; the call has been taken all the same. */
  loses: () => boolean
  away (): Promise<void>
  back (): Promise<void>
  close (): Promise<void>
}

/** Answers by path, in place of those below or beside them. */
export type Routes = Readonly<Record<string, (body: unknown) => unknown>>

export const fareFen = 180
const tariff = {
  version: 1, from: '2020-01-01T00:00:00+08:00',
  operators: { BUS: { kind: 'flat', fareFen: 200, cardFareFen: fareFen } }
}
const emptyDigest = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855' // SHA-256 of nothing

export async function startStandIn (routes: Routes = {}): Promise<StandIn> {
  const make = (): Server => createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const said: unknown = body.length === 0 ? null : JSON.parse(body.toString('utf8'))
      answer(standIn, { ...standing(standIn), ...routes }, (request.url ?? '').split('?')[0] ?? '', said,
        response)
    })().catch(() => response.destroy())
  })
  let server = make()
  const listen = (port: number) => new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const end = () => new Promise<void>(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
  const standIn: StandIn = {
    url: `http://127.0.0.1:${port}`,
    onRecords: () => undefined,
    loses: () => false,
    away: end,
    back: async () => {
      server = make()
      await listen(port)
    },
    close: async () => { if (server.listening) await end() }
  }
  return standIn
}

const standing = (standIn: StandIn): Routes => ({
  '/v1/tariffs': () => [tariff],
  '/v1/blacklist': () => ({ from: null, to: 0, add: [], remove: [], digest: emptyDigest }),
  '/v1/cities': () => ({ version: 0, cities: [] }),
  '/v1/requests': body => approve(body as NewRequest),
  '/v1/records': body => take(standIn, body as RecordDelivery)
})

function answer (
  standIn: StandIn, routes: Routes, path: string, body: unknown, response: ServerResponse
): void {
  const reply = Object.hasOwn(routes, path) ? routes[path]?.(body) : undefined
  if (standIn.loses()) response.destroy()
  else if (reply === undefined) response.writeHead(204).end()
  else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply))
}

function take (standIn: StandIn, { delivery, records }: RecordDelivery): unknown {
  standIn.onRecords(records)
  const results = records.map((_, index) => ({ index, outcome: 'accepted', reason: 'ok', replayed: false }))
  return { delivery, replayed: false, clearingDate: '2026-03-02', results, head: null }
}

const approve = (request: NewRequest): RequestReply => ({
  key: request.key, kind: request.kind, outcome: 'approved', reason: 'ok', replayed: false,
  amountFen: 'amountFen' in request ? request.amountFen ?? 0 : 0, balanceFen: 10_000, journal: '1',
  clearingDate: '2026-03-02'
})
