// `npm run bench -- defects [NAME…] [--json FILE]`: breaks a copy of the project on purpose, one mistake
// after the other (test/defects), and tells which check has noticed which.
import { copyProject } from './defects/copy.ts'
import { readDefects, type Defect } from './defects/defect.ts'
import { type Found, tryDefect, tryNothing } from './defects/find.ts'
import type { Bench } from './main.ts'

export const bench: Bench = async ({ args }) => {
  const defects = chosen(readDefects(), args)
  const copy = copyProject()
  const found: Found[] = []
  try {
    await tryNothing(copy, defects)
    console.log(`nothing is broken: ${scenariosOf(defects).size} scenarios are green`)
    for (const defect of defects) {
      const one = await tryDefect(copy, defect)
      console.log(lineOf(defect, one))
      found.push(one)
    }
  } finally {
    copy.remove()
  }
  const unseen = found.filter(({ by }) => by.length === 0).map(({ defect }) => defect)
  console.log(`${found.length} defects, ${found.length - unseen.length} found`)
  if (unseen.length > 0) throw new Error(`nobody has noticed: ${unseen.join(', ')}`)
  return { found }
}

function chosen (all: readonly Defect[], names: readonly string[]): readonly Defect[] {
  const unknown = names.filter(name => !all.some(one => one.name === name))
  if (unknown.length === 0) return names.length === 0 ? all : all.filter(({ name }) => names.includes(name))
  const known = all.map(({ name }) => name).join(', ')
  throw new Error(`no such defect: ${unknown.join(', ')}; there are ${known}`)
}

const scenariosOf = (defects: readonly Defect[]): ReadonlySet<string> =>
  new Set(defects.flatMap(({ scenarios }) => scenarios))

function lineOf ({ name, says }: Defect, { by, says: difference, seconds }: Found): string {
  const head = by.length === 0 ? 'NOT FOUND' : `found by ${by.join(', ')}`
  const lines = [`${name}: ${says}`, `  ${head} (${seconds} s)`, `  ${difference}`]
  return lines.filter(line => line.trim() !== '').join('\n')
}
