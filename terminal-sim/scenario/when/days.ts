// when: a clearing day is closed, approved, instructed.
import { Type } from 'typebox'
import type { DayView } from '../../../schemas/api.ts'
import { day, name } from '../values.ts'
import { whenVerb } from '../verb.ts'
import type { World } from '../world.ts'

const closed = { additionalProperties: false } as const
const settler = 'settler'

export const closeDay = whenVerb({
  says: 'a clearing day is cut, checked and cleared',
  example: 'close_day: { day: D, by: settler }',
  schema: Type.Union([
    day(),
    Type.Object({ day: day(), by: Type.Optional(name('staff; settler when absent')) }, closed)
  ]),
  plan: (world, said) => {
    const { day: date, by = settler } = typeof said === 'string' ? { day: said } : said
    return [{ act: () => post(world, `/v1/days/${date}/close`, by) }]
  }
})

export const approveDay = whenVerb({
  says: 'staff approve the positions they see, one after the other',
  example: 'approve_day: { day: D, by: [approver-1, approver-2] }',
  schema: Type.Object(
    { day: day(), by: Type.Array(name('staff'), { minItems: 1, description: 'who approves' }) },
    closed
  ),
  plan: (world, { day: date, by }) => [
    {
      act: async () => {
        for (const staff of by) {
          const { digest } = await world.api.get<DayView>(`/v1/days/${date}`, { staff })
          await post(world, `/v1/days/${date}/approvals`, staff, { digest })
        }
      }
    }
  ]
})

export const instructDay = whenVerb({
  says: 'the bank is told to pay and to collect',
  example: 'instruct_day: D',
  schema: Type.Union([
    day(),
    Type.Object({ day: day(), by: Type.Optional(name('staff; settler when absent')) }, closed)
  ]),
  plan: (world, said) => {
    const { day: date, by = settler } = typeof said === 'string' ? { day: said } : said
    return [{ act: () => post(world, `/v1/days/${date}/instruct`, by) }]
  }
})

async function post (world: World, path: string, staff: string, json: unknown = {}): Promise<void> {
  await world.api.call({ method: 'POST', path, as: { staff }, json })
}
