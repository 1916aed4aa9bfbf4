// The card in a phone: a clerk binds a phone to the card of a person who has said yes, the program on it gets
// codes that hold for a minute. It refuses to know what terminals do with them.
import { formatIso, localDate } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import {
  codeBody, codeReasonNumbers, codeReasons, codeRules, writeCode, type BoundPhone, type CodeReason,
  type CodeReply, type CodesOfCard, type PhoneView
} from '../../schemas/phone-code.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import type { Member } from '../people/proposals.ts'
import { hashOf } from '../people/sign-in.ts'
import { Refusal } from '../refusal.ts'
import { entitlementsOf } from '../services/transit/price-cards.ts'
import { listedFor } from '../store/card-blocks.ts'
import { readLife } from '../store/card-life.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { readCardTypes, readRights } from '../store/fares.ts'
import { guardedKey, readGuarded } from '../store/guarded.ts'
import { cardsOf } from '../store/loads.ts'
import {
  endPhone, insertPhone, lockPhone, noteCode, phonesOf, usesOfCard, type PhoneRow, type UseRow
} from '../store/phone-codes.ts'
import { accountId, type Snapshot } from '../store/registry.ts'
import { lockedLife } from './card-life.ts'

/**
 * The holder stands at the counter and agrees. Throws Refusal not_found, other_branch, conditions_not_met,
 * registry_invalid.
 */
export async function bindPhone (
  ledger: Ledger, by: Member, ref: CardRef, company: string
): Promise<BoundPhone> {
  const snapshot = await ledger.registry()
  const party = snapshot.parties.get(company)
  if (party?.kind !== 'operator' && party?.kind !== 'agent') {
    throw new Refusal('registry_invalid', `no company ${company} takes part`, '/party')
  }
  const phone = `P${ledger.random(8).toString('hex').toUpperCase()}`
  const token = ledger.random(32).toString('hex')
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const { bucket, cardId, state, holderId } = await lockedLife(tx, by, ref)
    if (holderId === null) throw new Refusal('conditions_not_met', 'the card is nobody\'s in particular')
    if (state !== 'normal') throw new Refusal('conditions_not_met', `the card is ${state}`)
    await insertPhone(tx, {
      phone, tokenHash: hashOf(token), bucket, cardId, holderId, partyId: party.partyId, boundBy: by.name,
      boundAtMs: atMs
    })
    const subject = `card/${ledger.nameCard(ref)}`
    const detail = { phone, party: company }
    await audit(tx, atMs, { by: by.name, action: 'card.bind_phone', subject, detail })
  })
  return { phone, token }
}

/** It gets no more codes. Throws Refusal not_found, other_branch, conditions_not_met. */
export async function unbindPhone (ledger: Ledger, by: Member, ref: CardRef, phone: string): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const life = await lockedLife(tx, by, ref)
    if (!await endPhone(tx, life, phone, { by: by.name, atMs })) {
      throw new Refusal('conditions_not_met', `the card has no phone ${phone} that gets codes`)
    }
    const subject = `card/${ledger.nameCard(ref)}`
    await audit(tx, atMs, { by: by.name, action: 'card.unbind_phone', subject, detail: { phone } })
  })
}

/**
 * The next code of a phone, for the company whose program it is. Throws Refusal not_found, forbidden,
 * conditions_not_met, too_early.
 */
export async function giveCode (
  ledger: Ledger, { party, token }: { readonly party: string | null, readonly token: string }
): Promise<CodeReply> {
  const { signer, clock, random } = ledger
  const snapshot = await ledger.registry()
  const atMs = clock.now()
  const given = await inTransaction(ledger.db, async tx => {
    const row = await lockPhone(tx, hashOf(token))
    if (row === null) throw new Refusal('not_found', 'no phone was bound with this token', '/token')
    if (snapshot.partyById.get(row.partyId)?.code !== party) {
      throw new Refusal('forbidden', 'the phone was bound for the program of another company', '/token')
    }
    const no = (why: string) => new Refusal('conditions_not_met', why)
    if (row.endedAtMs !== null) throw no('the phone gets no codes any more')
    const life = await readLife(tx, row)
    if (life?.holderId !== row.holderId) throw no('the card is not of the person any more who bound it')
    if (life.state !== 'normal') throw no(`the card is ${life.state}`)
    const listed = await listedFor(tx, row)
    if (listed !== null) throw no(`the card is on the blacklist: ${listed}`)
    const waitMs = (row.lastCodeAtMs ?? 0) + codeRules.nextCodeSeconds * 1_000 - atMs
    if (waitMs > 0) {
      throw new Refusal('too_early', `the next code can be had in ${Math.ceil(waitMs / 1_000)} s`)
    }
    const limitFen = Math.min(await onlineFen(tx, snapshot, row), snapshot.policies.debitFenMax)
    if (limitFen <= 0) throw no('the online account of the card holds nothing')
    await noteCode(tx, row.phone, atMs)
    const card = (await cardsOf(tx, [row])).get(row.cardId)
    if (card === undefined) throw new Error(`card ${row.cardId} is not there`)
    const issuedAtMs = atMs - atMs % 1_000
    const nonce = random(8).toString('hex').toUpperCase()
    const concession = await classOf(tx, row, atMs)
    const body = codeBody({ keyId: signer.keyId, card, issuedAtMs, nonce, limitFen, class: concession })
    killPoint('before-given-commit')
    return {
      code: writeCode(body, signer.signCode(body)), limitFen,
      goodUntil: formatIso(issuedAtMs + codeRules.codeSeconds * 1_000)
    }
  })
  killPoint('after-given-commit')
  return given
}

async function onlineFen (
  tx: Parameters<typeof readGuarded>[0], snapshot: Snapshot, card: PhoneRow
): Promise<number> {
  const account = accountId(snapshot, 'commerce', 'online')
  const row = await readGuarded(tx, guardedKey({ accountId: account, heading: 'online' }, card))
  return row === null || row.closed ? 0 : Number(row.balanceFen)
}

/** The first concession that counts today; none: the type of the card, which a tariff may speak of. */
async function classOf (tx: Tx, card: PhoneRow, atMs: number): Promise<string> {
  const today = localDate(atMs)
  const rights = await readRights(tx, [card])
  const [type] = await readCardTypes(tx, [card])
  return entitlementsOf(rights, type?.cardType ?? null).find(({ from, until }) =>
    (from === null || from <= today) && (until === null || today <= until))?.class ?? ''
}

/* ---- looking ---- */

const usesShown = 100

/** Phones of a card, and the last uses of its codes in words. Throws Refusal not_found. */
export async function codesOfCard (ledger: Ledger, ref: CardRef): Promise<CodesOfCard> {
  const card = (await findCards(ledger.db, [ref])).get(cardKey(ref))
  if (card === undefined) throw new Refusal('not_found', 'no such card was issued')
  const { partyById } = await ledger.registry()
  const phones = await phonesOf(ledger.db, card)
  return {
    card: ref,
    phones: phones.map((row): PhoneView => ({
      phone: row.phone, party: partyById.get(row.partyId)?.code ?? '', boundBy: row.boundBy,
      boundAt: formatIso(row.boundAtMs), endedAt: instantOf(row.endedAtMs),
      lastCodeAt: instantOf(row.lastCodeAtMs)
    })),
    uses: (await usesOfCard(ledger.db, card, usesShown)).map(shownUse)
  }
}

const instantOf = (ms: number | null): string | null => ms === null ? null : formatIso(ms)

function shownUse (
  { nonce, operator, terminal, atMs, amountFen, reason: number, payer, journalId, toldAtMs }: UseRow
): CodesOfCard['uses'][number] {
  const reason = reasonOf(number)
  const { paid, zh, en } = codeReasons[reason]
  return {
    nonce, operator, terminal, amountFen: Number(amountFen), at: formatIso(atMs), paid, reason,
    words: { zh, en }, payer, journal: journalId === null ? null : String(journalId),
    toldAt: formatIso(toldAtMs)
  }
}

const names = new Map<number, CodeReason>(Object.entries(codeReasonNumbers).map(([name, number]) =>
  [number, name as CodeReason]))
/** Throws for a number that was never given. */
export function reasonOf (number: number): CodeReason {
  const name = names.get(number)
  if (name === undefined) throw new RangeError(`no reason of a code has the number ${number}`)
  return name
}
