// `sim centre`: the exchange of the national transport centre. It fetches the batches that wait, checks and
// confirms them, and tells which claims their issuers do not pay.
import { createHash } from 'node:crypto'
import type { NationalBatch, NationalBatchView, NationalReturnsReply } from '../../schemas/national.ts'
import { cardKey } from '../../schemas/record.ts'
import { maskCard } from '../../runtime/log.ts'
import { showYuan } from '../scenario/values.ts'
import type { Command, Given } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'

const say = (line: string): void => { console.log(line) }

const words = {
  waiting: ['', 'batches that nobody has confirmed'],
  fetch: ['', 'fetches all that wait, each twice, and confirms them by its own digest'],
  show: ['BATCH', 'the claims in a batch'],
  return: ['CLAIM YUAN [CAUSE]', 'the issuer does not pay it; the same again is a repeat']
} as const satisfies Words

async function run (given: Given): Promise<number> {
  return await obey(deedsFor(given), { say, script: given.maybe('script') })
}

function deedsFor (given: Given): Deeds {
  const headers = { authorization: `Bearer ${given.text('token')}`, 'content-type': 'application/json' }
  const call = async (path: string, body?: object): Promise<Response> => {
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    const response = await fetch(new URL(path, given.text('ledger')), { headers, ...sent })
      .catch((error: Error) => { throw new DeedError(`no ledger answers: ${error.message}`) })
    if (response.ok) return response
    throw new DeedError(`${path}: ${response.status} ${await response.text()}`)
  }
  const waiting = async (): Promise<readonly NationalBatchView[]> =>
    (await (await call('/v1/national/outbound?waiting=true&limit=1000')).json() as
      { items: readonly NationalBatchView[] }).items

  async function fetchOne ({ batch }: NationalBatchView): Promise<string> {
    const path = `/v1/national/outbound/${batch}`
    const [bytes, again] = [await (await call(path)).arrayBuffer(), await (await call(path)).arrayBuffer()]
    if (!Buffer.from(bytes).equals(Buffer.from(again))) {
      throw new DeedError(`${batch}: other bytes the second time`)
    }
    const digest = createHash('sha256').update(Buffer.from(bytes)).digest('hex').toUpperCase()
    await call(`${path}/receipt`, { digest })
    return `${batch} confirmed, ${bytes.byteLength} bytes, SHA-256 ${digest.slice(0, 16)}…`
  }
  const shown = ({ batch, claims, withdrawals }: NationalBatchView): string =>
    `${batch}: ${claims.count} claims ${showYuan(claims.amountFen)}, ${withdrawals.count} withdrawn`

  return deedsOf(words, {
    waiting: async () => (await waiting()).map(shown).join('\n') || 'none',
    fetch: async () => {
      const told: string[] = []
      for (const one of await waiting()) told.push(shown(one), `  ${await fetchOne(one)}`)
      return told.join('\n') || 'none'
    },
    show: async ([batch = '']) => {
      const { entries } = await (await call(`/v1/national/outbound/${batch}`)).json() as NationalBatch
      return entries.map(({ kind, claim, amountFen, record: { card, counter, terminal } }) =>
        `${kind} ${claim} ${showYuan(amountFen)} ${maskCard(cardKey(card))} counter ${counter} at ${terminal}`
      ).join('\n')
    },
    return: async ([claim = '', yuan = '', ...cause]) => {
      const fen = Math.round(Number(yuan) * 100)
      if (!(fen > 0)) throw new DeedError(`${yuan} is no amount: yuan, such as 1.80`)
      const why = cause.join(' ') || 'TAC does not match'
      const one = { id: `SIM-${claim}`, claim, amountFen: fen, cause: why }
      const { results } = await (await call('/v1/national/returns', { returns: [one] })).json() as
        NationalReturnsReply
      return results.map(({ id, outcome, reason, clearingDate, replayed }) => [
        id, outcome, reason ?? '', 'in', clearingDate, ...replayed ? ['told before'] : []
      ].join(' ')).join('\n')
    }
  })
}

export const centre: Command = {
  name: 'centre',
  says: 'the national transport centre: fetches what is claimed, returns what is not paid',
  options: {
    ledger: { value: 'URL', says: 'where the ledger answers' },
    token: { value: 'TOKEN', says: 'of a machine of kind centre' },
    script: { value: 'FILE', says: 'reads lines from there, not from the keyboard' }
  },
  typed: typedRows(words),
  examples: [['centre --ledger http://127.0.0.1:8080 --token EXCHANGE.…', 'fetch, then return CLAIM 1.80']],
  run
}
