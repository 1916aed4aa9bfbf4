// Deliberate mistakes (test/defects): each fits the code as it is, and scenarios notice it. All of them are
// tried by `npm run sim -- defects`; here one, and a change that breaks nothing.

import t from 'tap'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyProject } from '../bench/defects/copy.ts'
import { type Defect, edited, readDefect, readDefects } from '../bench/defects/defect.ts'
import { tryDefect, tryNothing } from '../bench/defects/find.ts'

const root = join(import.meta.dirname, '..')
t.setTimeout(600_000)

t.test('every mistake can be made in the code as it is', async t => {
  const defects = readDefects()
  t.ok(defects.length >= 20, `${defects.length} defects`)
  for (const { name, edits, scenarios } of defects) {
    for (const scenario of scenarios) t.ok(existsSync(join(root, scenario)), `${name}: ${scenario}`)
    for (const edit of edits) {
      t.doesNotThrow(() => edited(readFileSync(join(root, edit.file), 'utf8'), edit), `${name}: ${edit.file}`)
    }
  }
})

t.test('a file that cannot be used says why', async t => {
  const whole = 'defect: x\nedits: [{ file: a.ts, find: b, put: c }]\nscenarios: [V1-ten-records]\n'
  const scenarios = ['test/scenarios/V1-ten-records.yaml']
  t.match(readDefect('x', whole), { name: 'x', pass: 'plain', scenarios })
  const wrong = [
    [whole.replace('defect: x', 'defect: 7'), /x\.yaml: `defect` must say in words/],
    [whole.replace('put: c', 'put: b'), /x\.yaml: `edits` is a list of file, find and put/],
    [whole.replace('[V1-ten-records]', '[]'), /x\.yaml: `scenarios` is a list/],
    [`${whole}passes: plain\n`, /x\.yaml: unknown: passes/],
    [`${whole}a: b: c\n`, /x\.yaml: Nested mappings/]
  ] as const
  for (const [text, why] of wrong) t.throws(() => readDefect('x', text), why)
  t.throws(() => edited('one two one', { file: 'a.ts', find: 'one', put: 'x' }), /a\.ts: stands there 2 times/)
  t.throws(() => edited('one', { file: 'a.ts', find: 'two', put: 'x' }), /a\.ts: stands there 0 times/)
  t.equal(edited('one two', { file: 'a.ts', find: 'two', put: '$&' }), 'one $&', 'no patterns')
})

t.test('a mistake is noticed, and what breaks nothing is not', async t => {
  const copy = copyProject()
  t.teardown(() => copy.remove())
  const commission = readDefects().find(one => one.name === 'commission-per-tap') as Defect
  await tryNothing(copy, [commission])
  const found = await tryDefect(copy, commission)
  t.match(found, { by: ['scenario'], says: /BUS commission: expected 0\.01, found 0\.02/ })
  const find = 'export const approversNeeded = 2'
  const harmless = [{ file: 'ledger/core/day.ts', find, put: `${find} + 0` }]
  t.same((await tryDefect(copy, { ...commission, edits: harmless })).by, [])
})
