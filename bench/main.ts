// `npm run bench -- NAME [--json FILE]`: runs one bench and prints its figures; ratios within one run are
// what counts.
import { readdirSync, writeFileSync } from 'node:fs'

/**
 * A bench returns plain figures; it checks the correctness of what it measured and throws when that fails.
 */
export type Bench = (options: { readonly args: readonly string[] }) => Promise<Record<string, unknown>>

const given = process.argv.slice(2)
const jsonAt = given.indexOf('--json')
const jsonFile = jsonAt < 0 ? undefined : given.splice(jsonAt, 2)[1]
const [name, ...args] = given
const names = readdirSync(import.meta.dirname)
  .filter(file => file.endsWith('.ts') && file !== 'main.ts')
  .map(file => file.replace('.ts', ''))
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--json FILE]\nbenches: ${names.join(', ')}`)
  process.exit(2)
}
const { bench } = await import(`./${name}.ts`) as { bench: Bench }
const figures = await bench({ args })
if (jsonFile !== undefined) writeFileSync(jsonFile, JSON.stringify(figures, null, 2) + '\n')
