// What the books say, through the door on a real PostgreSQL: balances as they are and as they were known,
// statements whose pages stand still while traffic goes on, accounts that close, and the way from a position
// to raw bytes. Expected values are added up again from the transfers themselves.
import t from 'tap'
import type { AccountStatement, CardStatement, StatementLine } from '../schemas/account.ts'
import type { TrialBalance } from '../schemas/api.ts'
import { cardKey } from '../schemas/record.ts'
import type { Db } from '../ledger/store/db.ts'
import { accountBatchDifferences } from '../ledger/store/account-lines.ts'
import { startDoors, type Door, type Who } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, clientOf, D, D1, D2, debit, deliver, pages, psams, smallCity } from './support/small-city.ts'

t.setTimeout(600_000)
const doors = await startDoors()
t.teardown(doors.stop)

async function opened (cards = 4): Promise<Door> {
  const door = await doors.open()
  const all = Array.from({ length: cards }, (_, number) => card(number))
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity(all))
  return door
}

type Told = {
  transferId: bigint, clearingDate: string, debit: string, credit: string, amountFen: bigint
  leaf: bigint | null
}
/** Every transfer with the codes of its accounts and its batch's leaf. */
async function transfers (db: Db): Promise<Told[]> {
  const name = (side: string) => `(select concat_ws('/', a.book, a.heading, p.code)
    from account a left join party p using (party_id) where account_id = ${side}_account)`
  return (await db.query<Told>(`
    select transfer_id as "transferId", t.clearing_date as "clearingDate", ${name('debit')} as debit,
      ${name('credit')} as credit, amount_fen as "amountFen", l.leaf_index as leaf
    from transfer t left join tree_leaf l using (batch_id) order by t.clearing_date, transfer_id`)).rows
}

/** Debits less credits by account of some transfers; accounts at zero are left out. */
function addedUp (some: readonly Told[]): Record<string, number> {
  const sums = new Map<string, number>()
  const add = (account: string, fen: number) => sums.set(account, (sums.get(account) ?? 0) + fen)
  for (const { debit, credit, amountFen } of some) {
    add(debit, Number(amountFen))
    add(credit, -Number(amountFen))
  }
  return Object.fromEntries([...sums].filter(([, fen]) => fen !== 0).sort())
}
const shownBy = ({ accounts }: TrialBalance): Record<string, number> => Object.fromEntries(accounts
  .map(({ account, debitFen, creditFen }): [string, number] => [account, debitFen - creditFen])
  .filter(([, fen]) => fen !== 0).sort())

const at = (door: Door, text: string): void => { door.clock.set(Date.parse(`${text}+08:00`)) }

t.test('what the books said at a moment about a date', async t => {
  const door = await opened()
  const seal = async (text: string) => {
    at(door, text)
    return (await door.ledger.sealer.seal()).size
  }
  await deliver(door, 'monday-1', [debit(0, 1), debit(1, 1, 'M1')])
  const sizes: [moment: string, size: number][] = []
  sizes.push(['2026-03-02T12:30:00', await seal('2026-03-02T12:30:00')])
  await deliver(door, 'monday-2', [debit(0, 2), debit(2, 1)])
  sizes.push(['2026-03-02T20:00:00', await seal('2026-03-02T20:00:00')])
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await deliver(door, 'tuesday-1', [debit(1, 2, 'M1'), debit(3, 1, 'S1')])
  sizes.push(['2026-03-03T02:00:00', await seal('2026-03-03T02:00:00')])
  at(door, '2026-03-04T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D1}/close`)
  await deliver(door, 'wednesday-1', [debit(0, 3)])
  sizes.push(['2026-03-04T02:00:00', await seal('2026-03-04T02:00:00')])
  await deliver(door, 'wednesday-2', [debit(2, 2)]) // never sealed: not known at any head

  const all = await transfers(door.db)
  t.ok(all.some(one => one.leaf === null), 'something is not sealed yet')
  for (const [moment, size] of sizes) {
    for (const date of [D, D1, D2]) {
      const known = all.filter(({ clearingDate, leaf }) =>
        clearingDate <= date && leaf !== null && Number(leaf) < size)
      const query = `asOf=${date}&knownAt=${encodeURIComponent(`${moment}+08:00`)}`
      const view: TrialBalance = await door.ok('auditor', 'GET', `/v1/accounts?${query}`)
      t.strictSame(shownBy(view), addedUp(known), `about ${date}, as known at ${moment}`)
      t.equal(view.known?.size, size)
      t.ok(view.books.every(book => book.sumFen === 0), 'each book sums to zero')
    }
  }
  const before: TrialBalance = await door.ok('auditor', 'GET',
    `/v1/accounts?asOf=${D}&knownAt=${encodeURIComponent('2026-03-01T00:00:00+08:00')}`)
  t.strictSame(shownBy(before), {}, 'before anything was sealed nothing was known')
  const now: TrialBalance = await door.ok('auditor', 'GET', '/v1/accounts')
  t.strictSame(shownBy(now), addedUp(all), 'now, what is not sealed included')
  t.equal(now.known, null)
  for (const date of [D, D1, D2]) t.strictSame(await accountBatchDifferences(door.db, date), [])
  await door.close()
})

t.test('a filter chooses accounts, and the totals stay those of the books', async t => {
  const door = await opened()
  await deliver(door, 'monday-1', [debit(0, 1), debit(1, 1, 'M1')])
  const view: TrialBalance = await door.ok('clerk', 'GET',
    '/v1/accounts?book=commerce&heading=merchant-pending&party=BUS')
  t.strictSame(view.accounts.map(one => [one.account, one.balanceFen]),
    [['commerce/merchant-pending/BUS', 180]])
  const commerce = view.books.find(one => one.book === 'commerce')
  t.match(commerce, { debitFen: 40_360, creditFen: 40_360, sumFen: 0 }, 'four cards with 100.00, two taps')
  t.equal(view.sumFen, 0)
  await door.close()
})

const statementOf = async (door: Door, account: string, query: string): Promise<AccountStatement> =>
  await door.ok('clerk', 'GET', `/v1/accounts/${encodeURIComponent(account)}/statement?${query}`)

const trialOf = async (door: Door, query = ''): Promise<TrialBalance> =>
  await door.ok('clerk', 'GET', `/v1/accounts?${query}`)

const signed = (account: string, side: 1 | -1, some: readonly Told[]) => some
  .filter(one => one.debit === account || one.credit === account)
  .map(one => ({
    transfer: String(one.transferId),
    amountFen: side * Number(one.amountFen) * (one.debit === account ? 1 : -1)
  }))

t.test('pages of a statement stand still while traffic goes on', async t => {
  const door = await opened(20)
  const round = async (name: string, nth: number) => {
    await deliver(door, `${name}-a`, Array.from({ length: 10 }, (_, card) => debit(card, nth)))
    await deliver(door, `${name}-b`, Array.from({ length: 10 }, (_, card) => debit(10 + card, nth, 'M1')))
  }
  await round('monday', 1)
  await round('monday-again', 2)
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await round('tuesday', 3)
  for (const [account, side] of [['commerce/merchant-pending/BUS', -1], ['commerce/purse', -1],
    ['commerce/custody-bank', 1], ['commerce/merchant-pending/SHP', -1]] as const) {
    const told = signed(account, side, await transfers(door.db))
    const lines: StatementLine[] = []
    const bounds = new Set<number>()
    let nth = 4
    let closing = 0
    for await (const page of pages(after => statementOf(door, account, `limit=7${after}`))) {
      lines.push(...page.lines)
      bounds.add(page.known.size)
      closing = page.closingFen
      await deliver(door, `between-${account.replaceAll('/', '-')}-${nth}`, [debit(nth % 10, 20 + nth)])
      nth++
    }
    t.strictSame(lines.map(({ transfer, amountFen }) => ({ transfer, amountFen })), told,
      `${account}: every line once, in order, nothing that came later`)
    let balanceFen = 0
    t.ok(lines.every(line => (balanceFen += line.amountFen) === line.balanceFen), 'balances run')
    t.equal(closing, balanceFen, 'up to the closing balance')
    t.equal(bounds.size, 1, 'all pages show one head')
  }
  const after = await statementOf(door, 'commerce/merchant-pending/BUS', '')
  const { accounts } = await trialOf(door, 'heading=merchant-pending&party=BUS')
  t.equal(after.closingFen, accounts[0]?.balanceFen, 'a new statement ends at the balance of now')
  await door.close()
})

t.test('a statement of some dates opens with what came before', async t => {
  const door = await opened()
  await deliver(door, 'monday-1', [debit(0, 1), debit(1, 1)])
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await deliver(door, 'tuesday-1', [debit(0, 2)])
  at(door, '2026-03-04T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D1}/close`)
  await deliver(door, 'wednesday-1', [debit(0, 3), debit(1, 2), debit(2, 1)])
  const account = 'commerce/merchant-pending/BUS'
  const told = await transfers(door.db)
  for (const [from, to] of [[D, D], [D1, D1], [D2, D2], [D, D2], [D1, D2], ['2026-02-01', D]] as const) {
    const sum = (keep: (date: string) => boolean) => signed(account, -1, told.filter(one =>
      keep(one.clearingDate))).reduce((all, one) => all + one.amountFen, 0)
    const view = await statementOf(door, account, `from=${from}&to=${to}`)
    t.equal(view.openingFen, sum(date => date < from), `opening of ${from} to ${to}`)
    t.equal(view.closingFen, sum(date => date <= to), `closing of ${from} to ${to}`)
    t.strictSame(view.lines.map(({ transfer, amountFen }) => ({ transfer, amountFen })),
      signed(account, -1, told.filter(one => one.clearingDate >= from && one.clearingDate <= to)))
  }
  const [first] = (await statementOf(door, account, `from=${D}`)).lines
  t.match(first, {
    code: 'tap', counterAccount: 'commerce/purse', amountFen: 180, balanceFen: 180, clearingDate: D, line: 1,
    card: '023137…-031049…0000-1', corrects: null
  }, 'a line says what it is, and masks the card')
  await door.close()
})

t.test('who may see a statement, and what cannot be asked', async t => {
  const door = await opened()
  const token = await clientOf(door, 'BUS', 'operator')
  const ask = async (account: string, query = '', who: string | null = token) =>
    await door.ask(null, 'GET', `/v1/accounts/${encodeURIComponent(account)}/statement${query}`,
      who === null ? {} : { token: who })
  t.equal((await ask('commerce/merchant-pending/BUS')).status, 200, 'its own')
  t.equal((await ask('commerce/merchant-pending/MET')).json.reason, 'forbidden', "another's")
  t.equal((await ask('commerce/purse')).json.reason, 'forbidden', 'the house')
  t.equal((await ask('commerce/purse', '', null)).json.reason, 'unauthenticated')
  const refused = async (who: Who, path: string) =>
    (await door.ask(who, 'GET', `/v1/accounts/${path}`)).json.reason
  t.equal(await refused('gateway', 'commerce%2Fpurse/statement'), 'forbidden')
  t.equal(await refused('clerk', 'commerce%2Fgold/statement'), 'not_found')
  t.equal(await refused('clerk', `commerce%2Fpurse/statement?after=${D}.1.999999`), 'body_invalid',
    'a head that nobody signed')
  await door.close()
})

const cardStatementOf = async (door: Door, number: number, query = ''): Promise<CardStatement> =>
  await door.ok('clerk', 'GET', `/v1/cards/${cardKey(cardOf(number))}/statement?${query}`)

t.test("a card's statement ends at what the ledger owes its holder", async t => {
  const door = await doors.open()
  const cards = [card(0), card(1, { soldBy: 'SHP', balanceFen: 5_000, depositFen: 2_000 })]
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity(cards))
  // Counter 102 is lost; 103 is grey and proven by 104; then people give 0.50 back.
  await deliver(door, 'monday-1', [
    debit(0, 1), debit(0, 3, 'M1', { grey: true }), debit(1, 1, 'B1', { balanceBeforeFen: 5_000 })])
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await deliver(door, 'tuesday-1', [debit(0, 4)])
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'correction',
    reason: 'goodwill of 0.50 for a torn tap',
    body: {
      transfers: [{
        debit: 'commerce/commission-expense', credit: 'commerce/pending-load', amountFen: 50, card: cardOf(0)
      }]
    }
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  const view = await cardStatementOf(door, 0)
  const { purse } = await door.ok('clerk', 'GET', `/v1/cards/${cardKey(cardOf(0))}`)
  t.strictSame(view.lines.map(({ code, amountFen, balanceFen, clearingDate }) =>
    [code, amountFen, balanceFen, clearingDate]), [
    ['opening', 10_000, 10_000, D], ['tap', -180, 9_820, D], ['tap_adjusted', -180, 9_640, D1],
    ['tap', -180, 9_460, D1]
  ])
  t.equal(view.closingFen, purse.shadowFen)
  t.equal(view.chipFen, 9_280, 'the lost tap is on the chip and not here')
  t.strictSame((await cardStatementOf(door, 0, `from=${D1}`)).openingFen, 9_820)
  const paged: StatementLine[] = []
  for await (const { lines } of pages(after => cardStatementOf(door, 0, `limit=1${after}`))) {
    paged.push(...lines)
  }
  t.strictSame(paged, view.lines, 'page by page the same')

  const sold = await cardStatementOf(door, 1)
  t.strictSame(sold.lines.map(({ code, amountFen }) => [code, amountFen]),
    [['load_written', 5_000], ['tap', -180]])
  const refused = async (who: Who, number: number) =>
    (await door.ask(who, 'GET', `/v1/cards/${cardKey(cardOf(number))}/statement`)).json.reason
  t.equal(await refused('clerk', 9), 'not_found')
  t.equal(await refused('registrar', 0), 'forbidden')
  await door.close()
})

t.test('an account closes when it is empty and nothing can come any more', async t => {
  const door = await opened()
  await deliver(door, 'monday-1', [debit(0, 1), debit(1, 1, 'M1')])
  const propose = async (account: string, more: object = {}) =>
    await door.ask('settler', 'POST', '/v1/proposals', {
      json: { kind: 'account_closing', reason: 'the company left the city', body: { account, ...more } }
    })
  const met = 'commerce/merchant-pending/MET'
  t.match((await propose(met)).json.detail, /not empty: -180 fen/)
  t.match((await propose('commerce/purse')).json.detail, /not an account of a party/)
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.match((await propose(met)).json.detail, /PSAM 990000000002 of MET is bound/, 'its records may still come')
  const over = { ...smallCity([]).psams?.find(one => one.psam === psams.M1), to: '2026-03-02T12:00:00+08:00' }
  await door.ok('registrar', 'PUT', '/v1/registry', { psams: [over] })
  t.match((await propose(met)).json.detail, /within the 90 days/)
  at(door, '2026-06-10T01:00:00')
  const { json: { id } } = await propose(met)
  await deliver(door, 'june-first', [debit(2, 1, 'M1', { dateTime: '20260302083000' })])
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  const late = await deliver(door, 'june-second', [debit(3, 1, 'M1', { dateTime: '20260302083001' })])
  t.match(late.results, [{ outcome: 'refused', reason: 'overdue' }], 'a late record still gets its answer')

  const correct = (transfers: object[]) => door.ask('clerk', 'POST', '/v1/proposals', {
    json: { kind: 'correction', reason: 'to a closed account', body: { transfers } }
  })
  t.match(await correct([{ debit: 'commerce/shortage', credit: met, amountFen: 1 }]),
    { status: 422, json: { reason: 'registry_invalid', detail: `${met} is closed` } })
  const { accounts } = await trialOf(door, 'heading=merchant-pending&party=MET')
  t.equal(accounts[0]?.balanceFen, 0, 'nothing is posted to it')
  t.equal((await statementOf(door, met, '')).lines.length > 0, true, 'its statement stays')

  const again = await propose(met, { open: true })
  await door.ok('approver-2', 'POST', `/v1/proposals/${again.json.id}/decisions`, { approves: true })
  t.match((await propose(met, { open: true })).json.detail, /is not closed/)
  await door.close()
})

t.test('a closed account loses no record and blocks none', async t => {
  const door = await opened()
  const two = async (who: 'settler' | 'clerk', kind: string, body: object, approvers: readonly Who[]) => {
    const json = { kind, reason: 'the company left the city', body }
    const started = await door.ask(who, 'POST', '/v1/proposals', { json })
    if (started.status >= 300) return started.json.reason as string
    for (const one of approvers) {
      await door.ask(one, 'POST', `/v1/proposals/${started.json.id}/decisions`, { json: { approves: true } })
    }
    return 'done'
  }
  const balanceOf = async (code: string) => {
    const { accounts } = await door.ok('auditor', 'GET', '/v1/accounts')
    return accounts.find((one: { account: string }) => one.account === code).balanceFen
  }
  const [met, unpaid] = ['commerce/merchant-pending/MET', 'commerce/unpaid-debits']
  await deliver(door, 'monday-1', [debit(0, 1, 'M1')])
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const metro = smallCity([]).psams?.find(one => one.psam === psams.M1)
  const boundUntil = (to: string | null) =>
    door.ok('registrar', 'PUT', '/v1/registry', { psams: [{ ...metro, to }] })
  await boundUntil('2026-03-02T12:00:00+08:00')
  at(door, '2026-06-10T01:00:00')
  t.equal(await two('settler', 'account_closing', { account: met }, ['approver-1']), 'done')

  await boundUntil(null) // somebody binds its PSAM again
  at(door, '2026-06-10T09:00:00')
  const june = { dateTime: '20260610083000' }
  const told = await deliver(door, 'june-tenth-1', [
    debit(1, 1, 'M1', june), debit(2, 1, 'B1', june), debit(3, 1, 'M1', { dateTime: '20260610005900' })])
  t.strictSame(told.results.map((one: { outcome: string, reason: string }) => `${one.outcome} ${one.reason}`),
    ['refused merchant_closed', 'accepted ok', 'accepted ok'], 'before it was closed it was open')
  t.equal(await balanceOf(unpaid), 180, 'the chip has paid, the operator is not')
  t.equal(await balanceOf(met), 180, 'what came before its end is its own, so the account is open again')
  const later = await deliver(door, 'june-tenth-2', [debit(1, 2, 'M1', { dateTime: '20260610083100' })])
  t.match(later.results, [{ reason: 'merchant_closed' }], 'and no record of after its end is paid for that')
  const alerts = async (kind: string) =>
    (await door.ok('auditor', 'GET', `/v1/alerts?kind=${kind}`)).items
      .map((one: { about: string }) => one.about)
  t.strictSame(await alerts('merchant_closed'), ['terminal/MET/M1'])
  t.strictSame(await alerts('account_reopened'), [`account/${met}`])
  await door.ok('settler', 'POST', `/v1/days/${D1}/close`)
  t.equal(await balanceOf(met), 0)

  t.equal(await two('settler', 'account_closing', { account: met }, ['approver-1']), 'registry_invalid')
  await boundUntil('2026-03-02T12:00:00+08:00')
  t.equal(await two('settler', 'account_closing', { account: met }, ['approver-1']), 'done')
  const release = { card: cardOf(1), counter: 101, to: 'operator' }
  const people = ['approver-1', 'approver-2'] as const
  t.equal(await two('clerk', 'unpaid_release', release, people), 'done')
  t.equal(await balanceOf(unpaid), 360, 'not to a closed account')
  // Somebody else used the counter of the first tap before: it is reversed, whatever became of its operator.
  const before = { dateTime: '20260302070000', sequence: 9, amountFen: 100 }
  await deliver(door, 'june-tenth-3', [debit(0, 1, 'B1', before)])
  t.equal(await balanceOf(met), -180, 'the operator owes it')
  at(door, '2026-06-11T01:00:00')
  await door.ok('settler', 'POST', '/v1/days/2026-03-04/close')
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
