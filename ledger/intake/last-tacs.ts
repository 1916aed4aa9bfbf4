// A chip remembers the TAC of its last debit. Whoever reads it later (at a counter, or at the terminal of the
// next debit) tells it, and it proves a debit of which the terminal never saw the end: a TAC is that of one
// amount, terminal, sequence and time. What is proven is booked as if its own terminal had brought the other
// half; a TAC that fits nothing proves nothing. It refuses to know balances.
import { createHash } from 'node:crypto'
import type { TransactionRecord } from '../../schemas/record.ts'
import { readRecord } from './incoming.ts'
import { storedLines } from './stored-lines.ts'
import { submit, type Submitting } from './submit.ts'
import { findCardsById, type CardRow } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { findCandidates, findDueTacs, settleTacs, type DueTac } from '../store/last-tacs.ts'
import type { Snapshot } from '../store/registry.ts'
import { itemLength, writeItem } from '../tac/tac-item.ts'

const tacsAtOnce = 500

/** Holds what was told against the grey records of its counter; how many are proven now. */
export async function proveByLastTacs (ledger: Submitting): Promise<number> {
  let proven = 0
  for (;;) {
    const due = await findDueTacs(ledger.db, tacsAtOnce)
    if (due.length === 0) return proven
    for (const record of await provenBy(ledger, due)) {
      await submitProof(ledger, record)
      proven += 1
    }
    await settleTacs(ledger.db, due)
  }
}

/** A grey record as it would be, had its terminal seen this TAC. */
type Signed = { readonly record: TransactionRecord, readonly card: CardRow }

async function provenBy (ledger: Submitting, due: readonly DueTac[]): Promise<TransactionRecord[]> {
  const snapshot = await ledger.registry()
  const { tacKeyLevels, factorOrder } = snapshot.policies
  const signed = await inTransaction(ledger.db, tx => readSigned(tx, snapshot, due))
  const items = Buffer.alloc(signed.length * itemLength)
  for (const [place, { record, card }] of signed.entries()) {
    writeItem(items, place * itemLength, record, card.suite, tacKeyLevels === 2 ? card.cityFactor : null)
  }
  const valid = await ledger.tac.verify(items, factorOrder)
  return signed.flatMap(({ record }, place) => valid[place] === 1 ? [record] : [])
}

async function readSigned (tx: Tx, snapshot: Snapshot, due: readonly DueTac[]): Promise<Signed[]> {
  const candidates = await findCandidates(tx, due)
  const cards = new Map((await findCardsById(tx, candidates)).map(card => [card.cardId, card]))
  const lineAt = storedLines(tx, snapshot)
  const signed: Signed[] = []
  for (const { cardId, tac, ...line } of candidates) {
    const card = cards.get(cardId)
    const record = await lineAt(line)
    if (card === undefined || record === null) continue
    const { lastTac: _, ...told } = record
    signed.push({ card, record: { ...told, tac: tac.toString('hex').toUpperCase(), grey: false } })
  }
  return signed
}

/** Its name is made of what it says: whoever proves the same again finds it booked. */
async function submitProof (ledger: Submitting, record: TransactionRecord): Promise<void> {
  const said = JSON.stringify(record)
  const delivery = `last-tac-${createHash('sha256').update(said).digest('hex').slice(0, 32)}`
  const raw = Buffer.from(`{"delivery":"${delivery}","records":[${said}]}`)
  await submit(ledger, {
    kind: 'json', source: 'ledger', externalId: delivery, raw,
    digest: createHash('sha256').update(raw).digest(), lines: [readRecord(record, 1)]
  })
}
