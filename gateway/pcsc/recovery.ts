// A card that left while it was paying comes back: what does the chip itself say? GET TRANSACTION PROVE
// settles it; its silence alone proves nothing, because the card may have been used elsewhere since. It
// refuses to know what is sold.
import {
  getBalance, getTransactionProve, initCapp, initPurchase, parseBalance, parseInitPurchase, parseProve,
  readRecord
} from '../../schemas/epurse/apdu.ts'
import { logRecord } from '../../schemas/epurse/files.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { decode } from '../../schemas/epurse/layout.ts'
import type { Profile } from '../../schemas/epurse/profiles.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { Channel } from './exchange.ts'
import type { Psam } from './psam.ts'

/** `lost`: the card left again, everything is as before. */
export type Proof =
  | { readonly kind: 'paid', readonly tac: string }
  | { readonly kind: 'not_debited' }
  | { readonly kind: 'unprovable' }
  | { readonly kind: 'lost' }

/** The application is selected. `record`: what was sent to the chip, and never answered. */
export async function settle (
  card: Channel, psam: Psam | null, profile: Profile, record: TransactionRecord
): Promise<Proof> {
  const answer = await card.transmit(getTransactionProve(Number.parseInt(record.type, 16), record.counter))
  if (answer.kind === 'unknown') return { kind: 'lost' }
  const proof = isOk(answer.sw) ? parseProve(answer.data) : null
  if (proof === null || !proof.ok) return lookAtCounter(card, psam, profile, record)
  const tac = hex(proof.tac)
  if (record.tac !== null) return record.tac === tac ? { kind: 'paid', tac } : { kind: 'unprovable' }
  const ours = await isOurs(card, psam, profile, record, proof.mac2)
  if (ours === 'lost') return { kind: 'lost' }
  return ours ? { kind: 'paid', tac } : { kind: 'unprovable' }
}

/**
 * The counter asked for may have been used by another terminal, after this debit never happened; then the
 * proof is of that purchase. The PSAM knows while it has signed nothing else, else the card's own log, else
 * the balance.
 */
async function isOurs (
  card: Channel, psam: Psam | null, profile: Profile, record: TransactionRecord, mac2: Uint8Array
): Promise<boolean | 'lost'> {
  if (psam !== null && psam.terminal === record.psam && psam.lastSequence() === record.sequence) {
    const checked = await psam.checkMac2(mac2)
    if (checked !== 'lost') return checked === 'right'
  }
  const entry = await lastLogged(card)
  if (entry === 'lost') return 'lost'
  if (entry !== null) {
    const { amountFen, type, terminal, date, time } = entry
    return amountFen === record.amountFen && type === Number.parseInt(record.type, 16) &&
      terminal === record.psam && date + time === record.dateTime
  }
  const balance = await card.transmit(getBalance(2, profile.balanceSelector))
  if (balance.kind === 'unknown') return 'lost'
  const left = isOk(balance.sw) ? parseBalance(balance.data) : null
  const expectedFen = Math.max(0, record.balanceBeforeFen - record.amountFen)
  return left !== null && left.ok && left.balanceFen === expectedFen
}

/** The newest entry of the chip's own log; null where it does not let it be read. */
export async function lastLogged (card: Channel): Promise<LogEntry | null | 'lost'> {
  const log = await card.transmit(readRecord(0x18, 1, logRecord.length))
  if (log.kind === 'unknown') return 'lost'
  const entry = isOk(log.sw) ? decode(logRecord, log.data) : null
  return entry !== null && entry.ok ? entry.value : null
}
type LogEntry = {
  /** Committed. */
  readonly counter: number
  readonly amountFen: number, readonly type: number, readonly terminal: string
  readonly date: string, readonly time: string
}

/** Only an unchanged counter with an unchanged balance proves that nothing was debited. */
async function lookAtCounter (
  card: Channel, psam: Psam | null, profile: Profile, record: TransactionRecord
): Promise<Proof> {
  const keyIndex = psam?.keyIndex(profile) ?? 1
  const init = { purse: 2, keyIndex, amountFen: 0, terminal6: unhex(psam?.terminal ?? record.psam) } as const
  const answer = await card.transmit(record.type === '09' ? initCapp(init) : initPurchase(init))
  if (answer.kind === 'unknown') return { kind: 'lost' }
  const now = isOk(answer.sw) ? parseInitPurchase(answer.data) : null
  if (now === null || !now.ok) return { kind: 'unprovable' }
  const expectedFen = Math.max(0, record.balanceBeforeFen)
  const unchanged = now.counter === record.counter - 1 && now.balanceFen === expectedFen
  return { kind: unchanged ? 'not_debited' : 'unprovable' }
}
