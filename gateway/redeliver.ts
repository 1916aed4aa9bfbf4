// A command for operators after a restore: has a running gateway deliver again what it acknowledged since an
// instant, and waits until all of it has gone. It refuses to know what the ledger makes of it.
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Static } from 'typebox'
import type { RedeliverReply, SpoolView } from '../schemas/gateway.ts'

/** Arguments: `--url http://HOST:PORT --since 2026-03-02T05:00:00+08:00`. Resolves to what to tell. */
export async function redeliver (
  args: string[], { token, pollMs = 500 }: { token?: string | undefined, pollMs?: number } = {}
): Promise<string> {
  const { values: { url, since } } =
    parseArgs({ args, options: { url: { type: 'string' }, since: { type: 'string' } } })
  if (url === undefined || since === undefined) {
    throw new Error('wanted: --url http://HOST:PORT --since INSTANT')
  }
  const ask = asking(url, token)
  const { range } = await ask<Static<typeof RedeliverReply>>('POST', '/v1/spool/redeliver', { since })
  if (range === null) return `the spool holds nothing since ${since}`
  while ((await ask<SpoolView>('GET', '/v1/spool')).redelivering) await delay(pollMs)
  return `records ${range.from} to ${range.to} of the spool were delivered again`
}

const asking = (url: string, token?: string) => async <T>(
  method: string, path: string, json?: unknown
): Promise<T> => {
  const body = json === undefined ? {} : { body: JSON.stringify(json) }
  const headers = {
    ...json === undefined ? {} : { 'content-type': 'application/json' },
    ...token === undefined ? {} : { authorization: `Bearer ${token}` }
  }
  const response = await fetch(new URL(path, url), { method, headers, ...body })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return JSON.parse(text) as T
}
