// How a card is named where its number must not stand: in the audit log and in subjects of proposals. Pure.
import { createHmac } from 'node:crypto'
import { cardKey, type CardRef } from '../../schemas/record.ts'

/** Its first and last digits, and eight of a keyed hash: two cards do not share a name by accident. */
export type CardNamer = (card: CardRef) => string

/**
 * The hash is keyed, because numbers of cards can be counted through: without the key, whoever reads a name
 * would find the one number in a million that has it.
 */
export function cardNamer (secret: Uint8Array): CardNamer {
  const key = createHmac('sha256', secret).update('names of cards').digest()
  return card => {
    const hash = createHmac('sha256', key).update(cardKey(card)).digest('hex').slice(0, 8)
    return `${masked(card)}#${hash}`
  }
}

/** Not a name: others share it. */
export const masked = ({ serial, issue }: CardRef): string =>
  `${serial.slice(0, 6)}…${serial.slice(-4)}-${issue}`
