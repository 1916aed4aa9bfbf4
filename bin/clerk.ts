// A clerk's counter on a command line: one operation, the answer of the ledger as JSON, or its refusal with
// the reason and where. Signs in by name and password, which stand in the environment, never on the line.
//
//   CLERK_LEDGER=http://127.0.0.1:8080 CLERK_NAME=li CLERK_PASSWORD=… npm run clerk -- life CARD
//   npm run clerk -- --key 7f3a return CARD OUTLET moves away --chip 101:48.20
//   CLERK_READER='DESK 00 00' npm run clerk -- return reader OUTLET moves away --chip reader
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { nodeCommand } from '../runtime/supervise.ts'
import { yuanText } from '../schemas/bank/amount.ts'
import { type Call, readCommand, usage, UsageError } from './clerk-commands.ts'

const need = (name: string): string => {
  const value = process.env[name]
  if (value === undefined || value === '') throw new UsageError(`${name} is not set\n\n${usage()}`)
  return value
}

async function main (args: readonly string[]): Promise<number> {
  if (args.length === 0 || args[0] === 'help' || args[0] === '--help') {
    process.stdout.write(`${usage()}\n`)
    return 0
  }
  const [, said] = args[0] === '--key' ? args : []
  const key = said ?? randomUUID()
  const call = readCommand(await withReader(args[0] === '--key' ? args.slice(2) : args))
  const base = need('CLERK_LEDGER')
  const signIn = { name: need('CLERK_NAME'), password: need('CLERK_PASSWORD') }
  const session = await ask(base, { method: 'POST', path: '/v1/session', json: signIn }, {})
  if (!session.ok) return refused(session.body)
  const { token } = session.body as { token: string }
  const answer = await ask(base, call, {
    authorization: `Bearer ${token}`, ...call.method === 'POST' ? { 'idempotency-key': key } : {}
  })
  if (!answer.ok) return refused(answer.body)
  process.stdout.write(`${JSON.stringify(answer.body, null, 2)}\n`)
  return 0
}

/** `reader` in the place of a card, or of what its chip says, is what lies on the reader of the counter. */
async function withReader (args: readonly string[]): Promise<string[]> {
  if (!args.includes('reader')) return [...args]
  const name = need('CLERK_READER')
  const socket = process.env['CLERK_READER_SOCKET']
  const { command, args: all = [] } = nodeCommand(
    join(import.meta.dirname, '../gateway/counter/main.ts'), [name, ...socket === undefined ? [] : [socket]])
  const { status, stdout } = spawnSync(command, all, {
    encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env: { LOG_LEVEL: 'fatal', ...process.env }
  })
  if (status !== 0) throw new UsageError('nothing was asked of the ledger')
  const { card, counter, balanceFen } =
    JSON.parse(stdout) as { card: string, counter: number, balanceFen: number }
  return args.map((word, at) => {
    if (word !== 'reader') return word
    return args[at - 1] === '--chip' ? `${counter}:${yuanText(BigInt(balanceFen))}` : card
  })
}

async function ask (
  base: string, { method, path, json }: Call, headers: Readonly<Record<string, string>>
): Promise<{ readonly ok: boolean, readonly body: unknown }> {
  const response = await fetch(new URL(path, base), {
    method,
    headers: { ...headers, ...json === undefined ? {} : { 'content-type': 'application/json' } },
    ...json === undefined ? {} : { body: JSON.stringify(json) },
    signal: AbortSignal.timeout(30_000)
  })
  const text = await response.text()
  return { ok: response.ok, body: text === '' ? null : JSON.parse(text) as unknown }
}

/** The ledger said no: the reason a program reads, and the words for the clerk. */
function refused (body: unknown): number {
  const { reason = 'unknown', detail = '', where } = body as
    { reason?: string, detail?: string, where?: string }
  const place = where === undefined ? '' : ` (${where})`
  process.stderr.write(`${reason}: ${detail}${place}\n`)
  return 1
}

main(process.argv.slice(2)).then(code => {
  process.exitCode = code
}, (error: Error) => {
  const isUsage = error instanceof UsageError
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  process.stderr.write(isUsage ? `${error.message}\n` : `clerk: ${error.message}${cause}\n`)
  process.exitCode = isUsage ? 2 : 1
})
