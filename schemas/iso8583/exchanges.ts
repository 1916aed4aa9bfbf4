// What terminals ask and hosts answer, as a table: how a request is told, what it must carry, what the answer
// gives back; and the fields that have parts of their own. It refuses to know who is entitled to what.
import type { FieldNumber, FieldValues } from './fields.ts'

export const kinds = [
  'sign_in', 'sign_off', 'echo', 'purchase', 'balance', 'void', 'refund', 'load', 'load_void', 'reversal',
  'settlement', 'upload', 'upload_end'
] as const
export type Kind = typeof kinds[number]

type Row = {
  readonly mti: string
  /** Field 60.1, where it tells; the first row that fits is taken. */
  readonly types?: readonly string[]
  /** Field 60.3, where it tells. */
  readonly networks?: readonly string[]
  readonly needs: readonly FieldNumber[]
  /** Given back as they came, beside 11, 41 and 42, which every answer has. */
  readonly repeats: readonly FieldNumber[]
}

/** Transaction types of an electronic purse: even ones are debits of the terminal, odd ones take one back. */
const loadTypes = ['40', '42', '44', '46', '48', '50'] as const
const loadVoidTypes = ['41', '43', '45', '47', '49', '51'] as const

const paid = [3, 4, 25, 49, 60] as const
export const exchanges: Readonly<Record<Kind, Row>> = {
  sign_in: { mti: '0800', networks: ['001', '003', '004'], needs: [11, 41, 42, 60], repeats: [] },
  sign_off: { mti: '0820', networks: ['002'], needs: [11, 41, 42, 60], repeats: [60] },
  echo: { mti: '0820', needs: [41, 42, 60], repeats: [60] },
  purchase: { mti: '0200', types: ['22'], needs: [2, 3, 4, 11, 41, 42, 60], repeats: [2, ...paid] },
  balance: { mti: '0200', types: ['01'], needs: [2, 3, 11, 41, 42, 60], repeats: [2, 3, 25, 49, 60] },
  void: { mti: '0200', types: ['23'], needs: [3, 4, 11, 41, 42, 60, 61], repeats: [2, ...paid] },
  load: { mti: '0200', types: loadTypes, needs: [2, 4, 11, 41, 42, 60], repeats: [2, ...paid] },
  load_void: { mti: '0200', types: loadVoidTypes, needs: [4, 11, 41, 42, 60, 61], repeats: [2, ...paid] },
  refund: { mti: '0220', types: ['25'], needs: [3, 4, 11, 41, 42, 60, 61], repeats: [2, ...paid] },
  reversal: { mti: '0400', needs: [3, 4, 11, 41, 42, 60], repeats: [2, ...paid] },
  settlement: { mti: '0500', needs: [11, 41, 42, 48, 60], repeats: [49, 60] },
  upload: { mti: '0320', networks: ['201'], needs: [4, 11, 41, 42, 60], repeats: [3, 4, 60] },
  upload_end: { mti: '0320', networks: ['202', '207'], needs: [11, 41, 42, 48, 60], repeats: [60] }
}

/** What a request asks for, or null where no row fits. */
export function kindOf (mti: string, values: FieldValues): Kind | null {
  const { type, network } = readField60(values[60] ?? '')
  return kinds.find(kind => {
    const row = exchanges[kind]
    return row.mti === mti && (row.types?.includes(type) ?? true) && (row.networks?.includes(network) ?? true)
  }) ?? null
}

/** The first field that is missing, or null. */
export const missingField = (kind: Kind, values: FieldValues): FieldNumber | null =>
  exchanges[kind].needs.find(number => values[number] === undefined) ?? null

/** 0200 is answered by 0210. */
export const answerType = (mti: string): string => String(Number(mti) + 10).padStart(4, '0')

/** Codes of field 39 behind which a reversal is over: done, there was nothing to take back, not found. */
export const reversalEnds: ReadonlySet<string> = new Set(['00', '12', '25'])

/** In the totals of a batch: what the terminal took, and what it gave back. */
export const totalSides: Readonly<Partial<Record<Kind, 'debit' | 'credit'>>> = {
  purchase: 'debit', load: 'debit', void: 'credit', refund: 'credit', load_void: 'credit'
}

/* ---- fields with parts ---- */

/** Field 60: type 2, batch 6, network code 3; what follows is the terminal's. */
export type Field60 = { readonly type: string, readonly batch: string, readonly network: string }

export const readField60 = (digits: string): Field60 =>
  ({ type: digits.slice(0, 2), batch: digits.slice(2, 8), network: digits.slice(8, 11) })

export const field60 = ({ type, batch, network }: Field60): string => `${type}${batch}${network}`

/** Field 61: batch 6, trace 6 and date 4 of the original; the date may be missing. */
export type Field61 = { readonly batch: string, readonly trace: string, readonly date: string }

export const readField61 = (digits: string): Field61 | null => digits.length < 12
  ? null
  : { batch: digits.slice(0, 6), trace: digits.slice(6, 12), date: digits.slice(12, 16) }

export const field61 = ({ batch, trace, date }: Field61): string => `${batch}${trace}${date}`

/** A side of the totals of a batch. */
export type SideTotal = { readonly count: number, readonly amountFen: number }
export type BatchTotals = { readonly debit: SideTotal, readonly credit: SideTotal }

/** What the host says of the totals: equal, unequal, cannot be compared. */
export const totalResults = { asked: '0', equal: '1', unequal: '2', failed: '3' } as const
export type TotalResult = keyof typeof totalResults

const blockDigits = 31
/** Field 48 of a settlement: amount 12, count 3 of debits, then of credits, result 1; then foreign cards. */
export function readField48 (digits: string): BatchTotals | null {
  if (digits.length !== 2 * blockDigits) return null
  return {
    debit: { amountFen: Number(digits.slice(0, 12)), count: Number(digits.slice(12, 15)) },
    credit: { amountFen: Number(digits.slice(15, 27)), count: Number(digits.slice(27, 30)) }
  }
}

/** Cards of the city are domestic; the second half is empty. */
export function field48 ({ debit, credit }: BatchTotals, result: TotalResult): string {
  const side = ({ amountFen, count }: SideTotal): string =>
    String(amountFen).padStart(12, '0') + String(count % 1_000).padStart(3, '0')
  return side(debit) + side(credit) + totalResults[result] + '0'.repeat(30) + totalResults[result]
}

/** Field 54 (ISO 8583, additional amounts): account type 00, available balance 02, currency, sign, amount. */
export const field54 = (balanceFen: number): string =>
  `0002${currency}${balanceFen < 0 ? 'D' : 'C'}${String(Math.abs(balanceFen)).padStart(12, '0')}`

export function readField54 (text: string): number | null {
  const found = /^\d{7}([CD])(\d{12})$/.exec(text)
  return found === null ? null : Number(found[2]) * (found[1] === 'D' ? -1 : 1)
}

/** The renminbi in ISO 4217. */
export const currency = '156'
