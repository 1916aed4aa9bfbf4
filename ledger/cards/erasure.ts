// A resident wants the own personal data gone. The law keeps them for years after the last card has ended;
// then they are taken out of what is kept, and a token stays under which ledger and journeys go on.
import { createHash } from 'node:crypto'
import { formatIso, localDate } from '../../runtime/instants.ts'
import type { ErasureView } from '../../schemas/erasure.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import {
  askedAt, deleteErasure, erase, insertErasure, relationOf, waitingErasures
} from '../store/erasures.ts'
import type { Own } from './own.ts'

type Book = Pick<Ledger, 'db' | 'clock' | 'registry'>

export const viewErasure = async ({ db, clock, registry }: Book, { holderId }: Own): Promise<ErasureView> =>
  await viewOf(db, holderId, { nowMs: clock.now(), years: (await registry()).policies.personalDataYears })

/** The first wish counts. */
export async function askErasure (ledger: Book, { holderId, holder }: Own): Promise<ErasureView> {
  const { policies: { personalDataYears: years } } = await ledger.registry()
  const nowMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const { possibleOn } = await viewOf(tx, holderId, { nowMs, years })
    if (await insertErasure(tx, holderId, nowMs, possibleOn)) {
      const by = `holder/${holder}`
      const detail = { blocked: 'by law', possibleOn }
      await audit(tx, nowMs, { by, action: 'holder.ask_erasure', subject: by, detail })
    }
    return await viewOf(tx, holderId, { nowMs, years })
  })
}

export async function withdrawErasure (ledger: Book, { holderId, holder }: Own): Promise<ErasureView> {
  await inTransaction(ledger.db, async tx => {
    if (!await deleteErasure(tx, holderId)) return
    const by = `holder/${holder}`
    await audit(tx, ledger.clock.now(), { by, action: 'holder.withdraw_erasure', subject: by })
  })
  return await viewErasure(ledger, { holderId, holder })
}

type Given = { readonly nowMs: number, readonly years: number }

async function viewOf (db: Db | Tx, holderId: bigint, { nowMs, years }: Given): Promise<ErasureView> {
  const { endedAtMs, held } = await relationOf(db, holderId)
  const asked = await askedAt(db, holderId)
  return {
    askedAt: asked === null ? null : formatIso(asked),
    possibleOn: yearsAfter(localDate(held ? nowMs : endedAtMs ?? nowMs), years), stillHeld: held
  }
}

/** The 29th of February becomes the 1st of March. */
function yearsAfter (date: string, years: number): string {
  const at = new Date(`${date}T00:00:00Z`)
  at.setUTCFullYear(at.getUTCFullYear() + years)
  return at.toISOString().slice(0, 10)
}

/** Carries out, or only counts, the wishes whose time has come. How many. */
export async function eraseDue (db: Db, given: Given & { readonly apply: boolean }): Promise<number> {
  const today = localDate(given.nowMs)
  let count = 0
  for (const { holderId, holder } of await waitingErasures(db)) {
    count += await inTransaction(db, async tx => {
      const { possibleOn, stillHeld } = await viewOf(tx, holderId, given)
      if (stillHeld || possibleOn > today) return 0
      if (!given.apply) return 1
      await erase(tx, holderId, nobody(holder), given.nowMs)
      const subject = `holder/${holder}`
      await audit(tx, given.nowMs, { by: 'system', action: 'holder.erase', subject })
      return 1
    })
  }
  return count
}

/** In place of the keyed hash of a document: of none. */
const nobody = (holder: string): Buffer => createHash('sha256').update(`erased ${holder}`).digest()
