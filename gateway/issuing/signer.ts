// The steps of a run, signed by the ledger one by one: it holds the keys, and knows from the batch what each
// step of a card's plan is. It refuses to know chips.
import { StepReply } from '../../schemas/card-issuing.ts'
import { parseCommand } from '../../schemas/epurse/apdu.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import type { Plan } from '../../schemas/epurse/issuing.ts'
import { orderIn } from '../../schemas/epurse/maintenance.ts'
import { askUntil, type Question } from '../asking.ts'
import type { Signed } from '../pcsc/order.ts'
import type { Run } from './run.ts'

export type SignerOptions = Pick<Question<typeof StepReply>, 'http' | 'nowMs'> & { readonly batch: string }

const limits = { signMs: 5_000, retryMs: 100 } as const

export function ledgerSigner ({ http, nowMs, batch }: SignerOptions): Run['sign'] {
  return async (plan, step, challenge) => {
    const { issuer, serial } = plan
    const card = { issuer, serial, issue: 1 }
    const asked = await askUntil({
      http, path: '/v1/issuing/steps', body: { batch, card, step, challenge: hex(challenge) },
      schema: StepReply, nowMs, retryMs: limits.retryMs, deadlineMs: limits.signMs
    })
    if (asked.outcome !== 'replied') return { why: asked.why }
    return checked(plan, step, asked.reply)
  }
}

/** Another card's command, or another order than the plan has at this place, goes to no chip. */
function checked ({ serial, steps }: Plan, step: number, reply: StepReply): Signed {
  const command = unhex(reply.command)
  const parsed = parseCommand(command)
  const wanted = steps[step]?.order.order
  const isOurs = reply.card.serial === serial && reply.step === step
  if (isOurs && parsed.ok && wanted !== undefined && orderIn(parsed) === wanted) return { command }
  return { why: 'the ledger signed something else' }
}
