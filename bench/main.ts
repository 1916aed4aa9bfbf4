// `npm run bench -- NAME [--json FILE]`: runs one bench and prints its figures; ratios within one run are
// what counts.
import { readdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

/**
 * A bench returns plain figures; it checks the correctness of what it measured and throws when that fails.
 */
export type Bench = (options: { readonly args: readonly string[] }) => Promise<Record<string, unknown>>

const { positionals, values } = parseArgs({
  allowPositionals: true, strict: false, options: { json: { type: 'string' } }
})
const [name, ...args] = positionals
const names = readdirSync(import.meta.dirname)
  .filter(file => file.endsWith('.ts') && file !== 'main.ts')
  .map(file => file.replace('.ts', ''))
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--json FILE]\nbenches: ${names.join(', ')}`)
  process.exit(2)
}
const { bench } = await import(`./${name}.ts`) as { bench: Bench }
const figures = await bench({ args })
if (typeof values['json'] === 'string') writeFileSync(values['json'], JSON.stringify(figures, null, 2) + '\n')
