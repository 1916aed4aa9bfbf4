// Four eyes over the public API: one member of staff starts a proposal, others approve it.
import { Type } from 'typebox'
import { name } from './values.ts'
import type { World } from './world.ts'

export const peopleSaid = {
  by: Type.Optional(name('staff who starts it; settler when absent')),
  approved_by: Type.Optional(Type.Array(name('staff'), { description: 'who approves, one after the other' }))
}

export async function propose (world: World, { kind, body, reason, by = 'settler', approvers = [] }: {
  readonly kind: string, readonly body: unknown, readonly reason: string, readonly by?: string | undefined,
  readonly approvers?: readonly string[] | undefined
}): Promise<void> {
  const { id } = await world.api.call({
    method: 'POST', path: '/v1/proposals', as: { staff: by }, json: { kind, body, reason }
  }) as { id: number }
  for (const staff of approvers) {
    await world.api.call({
      method: 'POST', path: `/v1/proposals/${id}/decisions`, as: { staff }, json: { approves: true }
    })
  }
}
