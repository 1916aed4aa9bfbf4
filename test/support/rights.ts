// The tables of docs/approvals.md as the code says them; run as a program it writes them into the page:
// `npx tsx test/support/rights.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { createApp } from '../../ledger/http/app.ts'
import { routes } from '../../ledger/http/routes.ts'
import { proposalKinds } from '../../ledger/people/proposal-kinds.ts'

export const page = join(import.meta.dirname, '../../docs/approvals.md')
const begin = (what: string) => `<!-- ${what}: made by test/support/rights.ts -->`
const end = (what: string) => `<!-- end of ${what} -->`
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

/** The page with both tables as they must be. Throws where it has lost its marks. */
export async function withRights (text: string): Promise<string> {
  return put(put(text, 'kinds', kindTable()), 'routes', await routeTable())
}

function put (text: string, what: string, made: string): string {
  const [before, rest] = text.split(begin(what))
  const after = rest?.split(end(what))[1]
  if (before === undefined || after === undefined) {
    throw new Error(`docs/approvals.md lost its marks of ${what}`)
  }
  return `${before}${begin(what)}\n${made}\n${end(what)}${after}`
}

const kindTable = (): string => table(['kind', 'starts', 'approves', 'people who approve'],
  Object.entries(proposalKinds).map(([name, { start, decide, approvals }]) =>
    [`\`${name}\``, start.join(', '), decide.join(', '), String(approvals)]))

/** Routes are told when they are made; nothing is served and no database is asked. */
async function routeTable (): Promise<string> {
  const bare = { log: createLog('rights', { level: 'silent' }), metrics: createMetrics() }
  const app = await createApp(bare as never)
  const rows: string[][] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    const who = (config?.allow ?? []).join(', ')
    rows.push([`\`${String(method)} ${url}\``, who, config?.cityWide === true ? 'no' : ''])
  })
  await app.register(routes(bare as never))
  await app.ready()
  await app.close()
  return table(['route', 'who', 'staff of a branch'], rows)
}

if (import.meta.filename === process.argv[1]) {
  writeFileSync(page, await withRights(readFileSync(page, 'utf8')))
}
