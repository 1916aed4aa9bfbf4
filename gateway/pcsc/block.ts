// A listed card blocks itself: challenge of the chip, MAC of the ledger, intent to disk, APPLICATION BLOCK.
// It refuses to know who is listed.
import { killPoint } from '../../runtime/kill-point.ts'
import { blockApplication } from '../../schemas/epurse/apdu.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import type { CardRules, LaneConfig } from '../../schemas/gateway.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Channel } from './exchange.ts'
import { giveOrder } from './order.ts'

export type Blocking = { readonly lane: LaneConfig, readonly rules: CardRules, readonly blocks: Blocks }

/**
 * True when the chip has obeyed. A card that leaves meanwhile shows at its next insertion whether it has; one
 * that the ledger does not sign for is declined as ever.
 */
export async function blockListed (
  channel: Channel, { lane, rules, blocks }: Blocking, card: CardRef
): Promise<boolean> {
  const { operator, terminal, blockListed: form } = lane
  if (form === undefined) return false
  const keyVersion = rules.maintenanceKeyVersion ?? 1
  const { given } = await giveOrder(channel, {
    challenge: true,
    sign: async challenge => {
      const signed = await blocks.sign({
        card, operator, terminal, form, keyVersion, challenge: hex(challenge)
      })
      if ('why' in signed) return signed
      return { block: signed.block, command: blockApplication(form, () => unhex(signed.mac)) }
    },
    beforeSending: async ({ block }) => { await blocks.send(block) },
    afterSending: () => { killPoint('block-after-command') }
  })
  if (given.kind !== 'obeyed' && given.kind !== 'refused') return false
  await blocks.conclude(card, given.kind === 'obeyed' ? 'blocked' : 'refused')
  return given.kind === 'obeyed'
}
