// What a bank says of one account over some days, whatever file it came in.
import { createHash } from 'node:crypto'

/** A booked movement; positive: money came. */
export type BankLine = {
  /** The bank's own reference, unique within the account; null where it gives none. */
  readonly reference: string | null
  readonly bookedOn: string
  readonly amountFen: bigint
  /** End-to-end identification of the payment it belongs to. */
  readonly endToEndId: string | null
  /** Why it came back: the bank's code, or its words. */
  readonly returnReason: string | null
  /** Account number and name of the other side. */
  readonly counterparty: string | null
  readonly counterpartyName: string | null
  readonly text: string
}

export type BankStatement = {
  readonly account: string
  readonly id: string
  readonly sequence: number | null
  readonly fromDate: string
  readonly toDate: string
  readonly openingFen: bigint
  readonly closingFen: bigint
  readonly lines: readonly BankLine[]
}

export const bankFormats = ['camt.053.001.02', 'camt.053.001.08', 'csv'] as const
export type BankFormat = typeof bankFormats[number]

/** A file that is no bank statement, or one that contradicts itself. */
export class BankFileError extends Error {
  constructor (what: string) {
    super(what.slice(0, 300)) // it quotes the file, which may be anything
    this.name = 'BankFileError'
  }
}

const lengths = { identifierMax: 140, textMax: 2000 } as const

/**
 * Opening balance and lines must lead to the closing balance, dates go forward, and every text be one that
 * can be kept and looked up. Throws BankFileError.
 */
export function requireSound (statement: BankStatement): BankStatement {
  const { id, account, fromDate, toDate, lines } = statement
  requireTexts(id, { account, id })
  if (toDate < fromDate) throw new BankFileError(`statement ${id}: from ${fromDate} to ${toDate}`)
  for (const { reference, endToEndId, returnReason, counterparty, counterpartyName, text } of lines) {
    requireTexts(id, { reference, endToEndId, returnReason, counterparty })
    requireTexts(id, { counterpartyName, text }, lengths.textMax)
  }
  return requireBalanced(statement)
}

function requireTexts (
  id: string, texts: Readonly<Record<string, string | null>>, lengthMax: number = lengths.identifierMax
): void {
  const where = `statement ${id.slice(0, lengths.identifierMax)}`
  for (const [name, text] of Object.entries(texts)) {
    if ((text ?? '').length > lengthMax) {
      throw new BankFileError(`${where}: ${name} is longer than ${lengthMax} characters`)
    }
    // eslint-disable-next-line no-control-regex -- these are what is looked for
    if (/[\0-\x08\x0b\x0c\x0e-\x1f]/.test(text ?? '')) {
      throw new BankFileError(`${where}: a control character in ${name}`)
    }
  }
}

function requireBalanced (statement: BankStatement): BankStatement {
  const ledTo = statement.lines.reduce((sum, line) => sum + line.amountFen, statement.openingFen)
  if (ledTo === statement.closingFen) return statement
  throw new BankFileError(
    `statement ${statement.id}: its lines lead to ${ledTo} fen, it closes with ${statement.closingFen}`)
}

/** SHA-256 of what a statement says: the same in another format or layout has the same one. */
export function contentOf (statement: BankStatement): Buffer {
  const { account, id, fromDate, toDate, openingFen, closingFen, lines } = statement
  const said = [
    [account, id, fromDate, toDate, String(openingFen), String(closingFen)],
    ...lines.map(line => [
      line.reference, line.bookedOn, String(line.amountFen), line.endToEndId, line.returnReason,
      line.counterparty
    ])
  ]
  return createHash('sha256').update(JSON.stringify(said), 'utf8').digest()
}
