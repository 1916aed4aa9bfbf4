// when: somebody takes a list away as a file.
import { Type } from 'typebox'
import { csvCells, xlsxCells } from '../sheet-text.ts'
import { day, name, oneOf } from '../values.ts'
import { whenVerb } from '../verb.ts'

export const exportList = whenVerb({
  says: 'somebody takes a list away as a file',
  example: 'export: { file: shop, what: records, format: xlsx, day: D, outcome: accepted, by: clerk }',
  schema: Type.Object({
    file: name('a name for the file'),
    what: oneOf(['records', 'transfers', 'positions', 'statements', 'items'], 'a list'),
    format: oneOf(['csv', 'xlsx'], 'what kind of file'),
    day: Type.Optional(day('clearing date')),
    operator: Type.Optional(name('records of this party only')),
    outcome: Type.Optional(name('records that ended so')),
    by: Type.Optional(name('staff; clerk when absent'))
  }, { additionalProperties: false }),
  plan: (world, { file, what, format, day: date, operator, outcome, by = 'clerk' }) => [{
    act: async () => {
      const query = new URLSearchParams(Object.entries({ date, operator, outcome })
        .filter((entry): entry is [string, string] => entry[1] !== undefined))
      const path = `/v1/exports/${what}.${format}?${query}`
      const content = await world.api.call({ path, as: { staff: by } })
      world.answers.set(`export ${file}`,
        typeof content === 'string' ? csvCells(content) : xlsxCells(content as Buffer))
    }
  }]
})
