// How a card is named where its number must not stand: in the audit log and in subjects of proposals. Pure.
import { createHash } from 'node:crypto'
import { cardKey, type CardRef } from '../../schemas/record.ts'

const shown = (hex: string): string => `${hex.slice(0, 6)}…${hex.slice(-4)}`

/** Its first and last digits, and eight of a hash: two cards do not share a subject by accident. */
export function maskedCard (card: CardRef): string {
  const hash = createHash('sha256').update(cardKey(card)).digest('hex').slice(0, 8)
  return `${shown(card.serial)}-${card.issue}#${hash}`
}

export const cardSubject = (card: CardRef): string => `card/${maskedCard(card)}`
