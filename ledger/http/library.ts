// The doors of the library service: what a gateway asks for its self-checks, what a library enters of itself,
// and who paid. It refuses to know the rules.
import { verify } from '@node-rs/argon2'
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import {
  CheckinRequest, CheckoutRequest, CirculationReply, HoldRequest, ItemUpdate, LibraryCatalogue,
  LibraryCatalogueReply, LibraryItem, LibraryPaymentReply, LibraryPaymentRequest, LibraryPaymentView,
  LibraryRules, PatronBlock, PatronEnable, PatronLookUp, PatronReply, RenewalsReply, RenewRequest,
  type PatronReply as Told
} from '../../schemas/library.ts'
import type { Ledger } from '../ledger.ts'
import { instantIn, Refusal } from '../refusal.ts'
import { checkin, checkout, hold, renew, viewItem } from '../services/library/circulation.ts'
import { payFee } from '../services/library/pay.ts'
import {
  inLibrary, partyOf, readerOf, readReader, viewReader, type Desk, type Reader
} from '../services/library/reader.ts'
import { enterCatalogue, setRules } from '../services/library/set-up.ts'
import { blockPatron, listPayments, lockPatron, updateItem } from '../store/library.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const code = { party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }) }
const Party = Type.Object(code, closed)
const OneItem = Type.Object({ ...code, item: Type.String({ pattern: '^[!-{}~]{1,64}$' }) }, closed)
const machine = { allow: ['gateway'] } as const
const findsDone = { ...machine, repeated: 'A repeat finds done what it asks for, and says so.' } as const

export const libraryRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  const at = async <T>(party: string, work: (desk: Desk) => Promise<T>): Promise<T> =>
    await inLibrary(ledger, party, work)

  app.put('/v1/library/:party/rules', {
    config: { allow: ['registrar'] },
    schema: { params: Party, body: LibraryRules, response: { 200: LibraryRules } }
  }, async request => {
    await setRules(ledger, callerIn(request).id, request.params.party, request.body)
    return request.body
  })

  app.put('/v1/library/:party/catalogue', {
    config: { allow: ['registrar'] },
    schema: { params: Party, body: LibraryCatalogue, response: { 200: LibraryCatalogueReply } }
  }, async request =>
    await enterCatalogue(ledger, callerIn(request).id, request.params.party, request.body))

  app.post('/v1/library/:party/patrons/look-up', {
    config: { ...machine, repeated: 'It changes nothing.' },
    schema: { params: Party, body: PatronLookUp, response: { 200: PatronReply } }
  }, async ({ params, body }) => await at(params.party, async desk => {
    const reader = await readerOf(desk, body.token)
    return await told(desk, reader, typeof reader === 'string' ? null : await isRight(reader, body.password))
  }))

  app.post('/v1/library/:party/patrons/block', {
    config: findsDone, schema: { params: Party, body: PatronBlock, response: { 200: PatronReply } }
  }, async ({ params, body: { token, note, retained } }) => await at(params.party, async desk =>
    await changeBlock(desk, token, `${retained ? 'card retained: ' : ''}${note}`)))

  app.post('/v1/library/:party/patrons/enable', {
    config: findsDone, schema: { params: Party, body: PatronEnable, response: { 200: PatronReply } }
  }, async ({ params, body }) => await at(params.party, async desk =>
    await changeBlock(desk, body.token, null)))

  app.post('/v1/library/:party/checkouts', {
    config: findsDone, schema: { params: Party, body: CheckoutRequest, response: { 200: CirculationReply } }
  }, async ({ params, body }) => await at(params.party, async desk => await checkout(desk, body)))

  app.post('/v1/library/:party/checkins', {
    config: findsDone, schema: { params: Party, body: CheckinRequest, response: { 200: CirculationReply } }
  }, async ({ params, body: { item, returnedAt } }) => await at(params.party, async desk =>
    await checkin(desk, item, returnedAt === undefined ? null : instantIn(returnedAt, '/returnedAt'))))

  app.post('/v1/library/:party/renewals', {
    config: { ...machine, repeated: 'Each renewal counts, a repeat too.' },
    schema: { params: Party, body: RenewRequest, response: { 200: RenewalsReply } }
  }, async ({ params, body: { token, item = null } }) => await at(params.party, async desk =>
    await renew(desk, token, item)))

  app.post('/v1/library/:party/holds', {
    config: findsDone, schema: { params: Party, body: HoldRequest, response: { 200: CirculationReply } }
  }, async ({ params, body }) => await at(params.party, async desk => await hold(desk, body)))

  app.get('/v1/library/:party/items/:item', {
    config: machine, schema: { params: OneItem, response: { 200: LibraryItem } }
  }, async ({ params: { party, item } }) => await at(party, async desk => await itemOf(desk, item)))

  app.put('/v1/library/:party/items/:item', {
    config: machine, schema: { params: OneItem, body: ItemUpdate, response: { 200: LibraryItem } }
  }, async ({ params: { party, item }, body: { properties } }) => await at(party, async desk => {
    await updateItem(desk.tx, desk.partyId, item, properties)
    return await itemOf(desk, item)
  }))

  app.post('/v1/library/:party/payments', {
    config: { ...machine, repeated: 'The same `transaction` gets its first answer again.' },
    schema: { params: Party, body: LibraryPaymentRequest, response: { 200: LibraryPaymentReply } }
  }, async request =>
    await payFee(ledger, callerIn(request).id, request.params.party, request.body))

  app.get('/v1/library/:party/payments', {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: {
      params: Party, querystring: Type.Object(paging('^\\d{1,15}$'), closed),
      response: { 200: pageOf(LibraryPaymentView) }
    }
  }, async request => {
    const { party } = request.params
    const caller = callerIn(request)
    if (caller.party !== null && caller.party !== party) {
      throw new Refusal('forbidden', `${caller.party} cannot see payments of ${party}`)
    }
    const limit = pageLimit(request.query.limit)
    const after = BigInt(request.query.after ?? '0')
    const rows = await listPayments(ledger.db, await partyOf(ledger, party), { after, limit })
    return page(rows, limit, row => ({
      number: Number(row.paymentNo), transaction: row.transaction, patron: row.patron,
      amountFen: Number(row.amountFen), by: row.paidBy, outcome: row.outcome, reason: row.reason,
      paidAt: formatIso(row.paidAtMs), proven: row.proven, returned: row.returnedAtMs !== null
    }), row => row.paymentNo)
  })
}

/** Null where none was said. A reader without a password has no right one. */
async function isRight ({ row }: Reader, password: string | undefined): Promise<boolean | null> {
  if (password === undefined) return null
  return row.passwordHash !== null && await verify(row.passwordHash, password)
}

async function told (
  desk: Desk, reader: Reader | Told['reason'], passwordRight: boolean | null
): Promise<Told> {
  if (typeof reader === 'string') return { outcome: 'declined', reason: reader, patron: null }
  return { outcome: 'approved', reason: 'ok', patron: await viewReader(desk, reader, passwordRight) }
}

async function changeBlock (desk: Desk, token: string, note: string | null): Promise<Told> {
  const row = await lockPatron(desk.tx, desk.partyId, token)
  if (row === null) return await told(desk, await readerOf(desk, token), null)
  await blockPatron(desk.tx, desk.partyId, row.patron, note)
  return await told(desk, await readReader(desk, { ...row, blockedNote: note }), null)
}

async function itemOf (desk: Desk, item: string): Promise<LibraryItem> {
  const found = await viewItem(desk, item)
  if (found === null) throw new Refusal('not_found', `${desk.party} has no item ${item}`)
  return found
}
