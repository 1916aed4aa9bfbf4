// then: what a spreadsheet shows of an exported file, and what the log says of who took it.
import { Type, type Static } from 'typebox'
import type { AuditPage } from '../../../schemas/audit.ts'
import { mappingOf } from '../check.ts'
import type { SheetCell } from '../sheet-text.ts'
import { name, showYuan, text, whole, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { known } from '../world.ts'
import { plain } from './balances.ts'

export const exported = thenVerb({
  says: 'rows and total of an exported file, texts in it, that nothing in it runs, and what the log says',
  example: 'exported: { file: shop, rows: 10000, total: 1000.00, texts: { terminal: SHP-1 }, logged: true }',
  schema: Type.Object({
    file: name('the name of the file'),
    rows: Type.Optional(whole('rows without the titles and the total')),
    total: Type.Optional(yuan('the last amount of the row of totals')),
    texts: Type.Optional(
      mappingOf(text('a title'), text('a text'), 'what stands in the first row, by title')),
    masked: Type.Optional(yes('no card number stands in it whole')),
    logged: Type.Optional(yes('the audit log has it with this number of rows'))
  }, { additionalProperties: false }),
  check: async (world, { file, rows, total, texts = {}, masked, logged }) => {
    const cells = known(world.answers, 'export', `export ${file}`) as SheetCell[][]
    const [titles = [], first = []] = cells
    const amount = cells.at(-1)?.findLast(cell => cell.kind === 'number')?.value ?? 'none'
    const formula = cells.flat().find(cell => cell.kind === 'formula')
    const whole = cells.flat().find(cell => /\d{20}/.test(cell.value))
    const { items } = await world.api.get<Static<typeof AuditPage>>('/v1/audit?action=export.give&limit=20')
    const noted = items.some(one => (one.detail as { rows?: number }).rows === cells.length - 2)
    return [
      ...plain(`rows of ${file}`, rows, cells.length - 2),
      ...total === undefined ? [] : compare(`total of ${file}`, showYuan(total), amount),
      ...compare(`what would run in ${file}`, 'nothing', formula?.value ?? 'nothing'),
      ...Object.entries(texts).flatMap(([title, wanted]) => compare(`${title} in ${file}`, wanted,
        first[titles.findIndex(cell => cell.value === title)]?.value.replace(/^'/, '') ?? 'no such column')),
      ...plain(`${file} is masked`, masked, whole === undefined),
      ...plain(`${file} is in the log`, logged, noted)
    ]
  }
})
