// A listed card blocks itself: challenge of the chip, MAC of the ledger, intent to disk, APPLICATION BLOCK.
// It refuses to know who is listed.
import { killPoint } from '../../runtime/kill-point.ts'
import { blockApplication, getChallenge } from '../../schemas/epurse/apdu.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { CardRules, LaneConfig } from '../../schemas/gateway.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Channel } from './exchange.ts'

export type Blocking = { readonly lane: LaneConfig, readonly rules: CardRules, readonly blocks: Blocks }

/**
 * True when the chip has obeyed. A card that leaves meanwhile shows at its next insertion whether it has; one
 * that the ledger does not sign for is declined as ever.
 */
export async function blockListed (
  channel: Channel, { lane, rules, blocks }: Blocking, card: CardRef
): Promise<boolean> {
  const form = lane.blockListed
  if (form === undefined) return false
  const challenge = await channel.transmit(getChallenge(4))
  if (challenge.kind === 'unknown' || !isOk(challenge.sw) || challenge.data.length !== 4) return false
  const { operator, terminal } = lane
  const signed = await blocks.sign({
    card, operator, terminal, form, keyVersion: rules.maintenanceKeyVersion ?? 1,
    challenge: hex(challenge.data)
  })
  if ('why' in signed) return false
  await blocks.send(signed.block)
  const answer = await channel.transmit(blockApplication(form, () => unhex(signed.mac)))
  killPoint('block-after-command')
  if (answer.kind === 'unknown') return false
  await blocks.conclude(card, isOk(answer.sw) ? 'blocked' : 'refused')
  return isOk(answer.sw)
}
