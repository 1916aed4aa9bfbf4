// Four eyes through the door: who may start and approve, what waits, what goes stale; and the audit log that
// remembers all of it.
import t from 'tap'
import { createHash } from 'node:crypto'
import { auditBreak } from '../ledger/core/audit-chain.ts'
import { hasOverride } from '../ledger/day/override.ts'
import { readAudit } from '../ledger/store/audit.ts'
import { cardKey } from '../schemas/record.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', {
    clearingDate: '2026-03-02',
    parties: [
      { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card Company' },
      { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus' }
    ]
  })
  return door
}

const adjustment = {
  kind: 'correction', reason: 'the operator was paid twice for one file',
  body: {
    transfers: [{
      debit: 'commerce/merchant-pending/BUS', credit: 'commerce/unidentified-receipts', amountFen: 50_000
    }]
  }
}

t.test('an adjustment of 500.00 needs another person', async t => {
  const door = await opened()
  const ask = async (who: Parameters<Door['ask']>[0], method: string, path: string, json?: unknown) => {
    const { status, json: answer } = await door.ask(who, method, path, json === undefined ? {} : { json })
    return status < 300 ? `${answer.state}` : `${status} ${answer.reason}`
  }
  t.equal(await ask('approver-1', 'POST', '/v1/proposals', adjustment), '403 forbidden',
    'a checker starts nothing')
  const started = await door.ok('chief', 'POST', '/v1/proposals', adjustment)
  t.equal(started.state, 'pending')
  t.equal(await ask('settler', 'POST', '/v1/proposals', adjustment), '409 proposal_pending', 'twice')
  const decisions = `/v1/proposals/${started.id}/decisions`
  t.equal(await ask('chief', 'POST', decisions, { approves: true }), '403 self_approval')
  t.equal(await ask('clerk', 'POST', decisions, { approves: true }), '403 forbidden')
  t.equal(await ask('approver-1', 'POST', decisions, { approves: true }), 'done')
  t.equal(await ask('approver-2', 'POST', decisions, { approves: true }), '409 proposal_over')
  const { accounts } = await door.ok('auditor', 'GET', '/v1/accounts')
  const balanceOf = (code: string) =>
    accounts.find(({ account }: { account: string }) => account === code).balanceFen
  t.equal(balanceOf('commerce/merchant-pending/BUS'), -50_000)
  t.equal(balanceOf('commerce/unidentified-receipts'), 50_000)
  await door.close()
})

t.test('refused and withdrawn proposals change nothing and make room for another', async t => {
  const door = await opened()
  const first = await door.ok('clerk', 'POST', '/v1/proposals', adjustment)
  const refused = await door.ok('approver-1', 'POST', `/v1/proposals/${first.id}/decisions`,
    { approves: false, note: 'no evidence' })
  t.match(refused, { state: 'refused', decisions: [{ staff: 'approver-1', note: 'no evidence' }] })
  const second = await door.ok('clerk', 'POST', '/v1/proposals', adjustment)
  t.equal((await door.ask('settler', 'DELETE', `/v1/proposals/${second.id}`)).status, 403)
  t.equal((await door.ok('clerk', 'DELETE', `/v1/proposals/${second.id}`)).state, 'withdrawn')
  t.equal((await door.ok('auditor', 'GET', '/v1/accounts')).sumFen, 0)
  t.equal((await door.ok('auditor', 'GET', '/v1/proposals?state=pending')).items.length, 0)
  await door.close()
})

t.test('every deed stands in the log, and a changed row is found', async t => {
  const door = await opened()
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', adjustment)
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  const rows = await readAudit(door.db, 1n, 100)
  const withoutHash = (subject: string) => subject.replace(/#[0-9a-f]{16}$/, '#…')
  t.strictSame(rows.map(({ by, action, subject }) => `${by} ${action} ${withoutHash(subject)}`), [
    'system bootstrap staff',
    'REGISTRAR registry.change registry',
    'clerk session.open staff/clerk',
    'clerk proposal.start account/commerce/merchant-pending/BUS#…',
    'approver-1 session.open staff/approver-1',
    'approver-1 proposal.approve account/commerce/merchant-pending/BUS#…'])
  const breaks = (log: typeof rows) => log.map((row, place) => auditBreak(log[place - 1] ?? null, row))
  t.strictSame(breaks(rows), rows.map(() => null))
  for (const change of [{ by: 'clerk2' }, { atMs: 1 }, { detail: '{}' }, { subject: 'x' }, { action: 'x' }]) {
    const [first, second] = rows as [typeof rows[0], typeof rows[0]]
    t.match(breaks([{ ...first, ...change }, second])[0], /audit 1 was changed/, Object.keys(change).join())
  }
  t.match(breaks(rows.slice(1))[0], /audit 1 is missing/)
  await door.close()
})

t.test('the log is read in pages that stay what they are', async t => {
  const door = await opened()
  for (let nth = 0; nth < 3; nth++) {
    const { id } = await door.ok('clerk', 'POST', '/v1/proposals', adjustment)
    await door.ok('clerk', 'DELETE', `/v1/proposals/${id}`)
  }
  const page = async (query: string) => {
    const { items, next } = await door.ok('auditor', 'GET', `/v1/audit?${query}`)
    return { items: items.map((one: { seq: number, action: string }) => `${one.seq} ${one.action}`), next }
  }
  const first = await page('by=clerk&action=proposal&limit=2')
  await door.ok('clerk', 'POST', '/v1/proposals', adjustment)
  const second = await page(`by=clerk&action=proposal&limit=2&before=${first.next}`)
  t.strictSame([...first.items, ...second.items].map(one => one.split(' ')[1]), [
    'proposal.withdraw', 'proposal.start', 'proposal.withdraw', 'proposal.start'])
  t.equal(new Set([...first.items, ...second.items]).size, 4, 'no row twice')
  t.strictSame((await page('by=nobody')).items, [])
  t.strictSame((await page('subject=day/')).items, [])
  t.strictSame((await page('by=clerk&to=2026-03-02T12:00:00%2B08:00')).items, [], 'the end is not inside')
  t.equal((await door.ask('auditor', 'GET', '/v1/audit?from=2026-13-02T12:00:00Z')).status, 400)
  t.equal((await door.ask('clerk', 'GET', '/v1/audit')).status, 403)
  await door.close()
})

t.test('one changed byte is found and named, at the door and by verify', async t => {
  const door = await opened()
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', adjustment)
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  const sound = await door.ok('auditor', 'GET', '/v1/audit/integrity')
  t.match(sound, { ok: true, broken: null })
  await door.db.query("update audit set by_whom = 'clerl' where seq = 4")
  t.match(await door.ok('auditor', 'GET', '/v1/audit/integrity'),
    { ok: false, rows: 3, broken: 'audit 4 was changed' })
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [
    { check: 'the audit log is one chain', ok: false, detail: 'audit 4 was changed' }])
  await door.close()
})

t.test('two persons let a red day go on, and the reason stays', async t => {
  const door = await opened()
  const proposal = {
    kind: 'settlement_override', body: { date: '2026-03-02' },
    reason: 'the bank confirmed the cent by telephone'
  }
  t.equal(await hasOverride(door.db, '2026-03-02'), false)
  const { id } = await door.ok('settler', 'POST', '/v1/proposals', proposal)
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  const approving = { json: { approves: true } }
  const late = await door.ask('approver-1', 'POST', `/v1/proposals/${id}/decisions`, approving)
  t.match(late, { status: 409, json: { reason: 'approval_stale' } }, 'the day went on meanwhile')
  const again = await door.ok('settler', 'POST', '/v1/proposals', proposal)
  await door.ok('approver-1', 'POST', `/v1/proposals/${again.id}/decisions`, { approves: true })
  t.equal(await hasOverride(door.db, '2026-03-02'), true)
  await door.close()
})

t.test('the terms of a party change with a second person, once the ledger works', async t => {
  const door = await opened()
  const party = (code: string, more: object = {}) =>
    ({ code, kind: code === 'BUS' ? 'operator' : 'agent', nameZh: '公交', nameEn: 'Bus', ...more })
  const put = async (parties: object[]) => await door.ok('registrar', 'PUT', '/v1/registry', { parties })
  const terms = async () => (await door.db.query(`
    select code, name_en as name, prepaid, settle_from_fen::int as least, wire_codes as codes,
      counter_convention as counter
    from party where code in ('BUS', 'AGT') order by code`)).rows
  const before = { code: 'BUS', name: 'Bus', prepaid: false, least: 100, codes: {}, counter: 'committed' }
  t.equal((await put([party('BUS', { settleFromFen: 100 })]))['proposal'], undefined, 'while it is set up')
  t.strictSame(await terms(), [before])
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')

  const wanted = {
    prepaid: true, settleFromFen: 5, wireCodes: { overdue: '90' }, counterConvention: 'init'
  } as const
  const { proposal } = await put([party('BUS', { ...wanted, nameEn: 'New Bus' }), party('AGT')])
  const agent = { ...before, code: 'AGT', least: 0 }
  t.strictSame(await terms(), [agent, { ...before, name: 'New Bus' }], 'only what is no matter of money')
  t.match(await door.ok('auditor', 'GET', `/v1/proposals/${proposal}`), {
    kind: 'parameters', subject: 'parameters/terms-BUS', body: { terms: [{ party: 'BUS', ...wanted }] }
  })
  t.equal((await door.ask('registrar', 'PUT', '/v1/registry', { json: { parties: [party('BUS', wanted)] } }))
    .json.reason, 'proposal_pending')
  await door.ok('approver-1', 'POST', `/v1/proposals/${proposal}/decisions`, { approves: true })
  const after =
    { code: 'BUS', name: 'New Bus', prepaid: true, least: 5, codes: { overdue: '90' }, counter: 'init' }
  t.strictSame(await terms(), [agent, after])
  t.equal((await put([party('BUS', { ...wanted, nameEn: 'New Bus' })]))['proposal'], undefined, 'no change')
  const { accounts } = await door.ok('auditor', 'GET', '/v1/accounts')
  t.ok(accounts.some((one: { account: string }) => one.account === 'commerce/agent-prepaid/BUS'))
  await door.close()
})

t.test('a proposal about very much has a short name, and two of them are not confused', async t => {
  const door = await opened()
  const start = (amount: number, debit: string) => door.ask('clerk', 'POST', '/v1/proposals', {
    json: {
      kind: 'correction', reason: 'the operator was paid twice for one file',
      body: { transfers: [{ debit, credit: 'commerce/unidentified-receipts', amountFen: amount }] }
    }
  })
  t.match(await start(1, 'commerce/merchant-pending/'.padEnd(5_000, 'X')),
    { status: 422, json: { reason: 'registry_invalid' } })
  const commissions = Array.from({ length: 900 }, (_, index) => ({
    party: 'BUS', product: index % 2 === 0 ? 'debit' : 'load', ratePpm: index, from: '2027-01-01'
  }))
  const asked = (length: number) => door.ask('clerk', 'POST', '/v1/proposals', {
    json: {
      kind: 'parameters', reason: 'rates of next year', body: { commissions: commissions.slice(0, length) }
    }
  })
  t.equal((await asked(900)).json.reason, 'forbidden', 'by whoever may, not by anybody')
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  const many = (count: number) => commissions.slice(0, count).map((one, index) =>
    ({ ...one, from: new Date(Date.UTC(2027, 0, 1 + index)).toISOString().slice(0, 10) }))
  const put = async (count: number) =>
    await door.ok('registrar', 'PUT', '/v1/registry', { commissions: many(count) })
  const [first, second] = [await put(600), await put(601)]
  const subjectOf = async (id: number): Promise<string> =>
    (await door.ok('auditor', 'GET', `/v1/proposals/${id}`)).subject
  const [one, other] = [await subjectOf(first.proposal), await subjectOf(second.proposal)]
  t.ok(one.length <= 240 && other.length <= 240, `${one.length} characters`)
  t.not(one, other)
  await door.close()
})

t.test('a card is named so that nobody finds its number by counting through all of them', async t => {
  const door = await opened()
  await door.ok('registrar', 'PUT', '/v1/registry', {
    cards: [{
      card: cardOf(0), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1, cityFactor: null,
      balanceFen: 100, counter: 1, soldBy: null, depositFen: 0
    }]
  })
  await door.ok('registrar', 'POST', '/v1/blacklist',
    { add: [{ card: cardOf(0), reason: 'loss', at: '2026-03-02T12:00:00+08:00' }], remove: [] })
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  await door.ok('registrar', 'POST', '/v1/blacklist', { add: [], remove: [cardOf(0)] })
  const { items: [{ subject, looked }] } = await door.ok('auditor', 'GET', '/v1/proposals?state=pending')
  const serial = cardOf(0).serial
  const [, hash = ''] = /^card\/\d{6}…\d{4}-1#([0-9a-f]{8})$/.exec(subject) ?? []
  t.match(subject, `${serial.slice(0, 6)}…${serial.slice(-4)}-1#`)
  t.match(JSON.stringify(looked), hash)
  for (const algorithm of ['sha256', 'sha1', 'md5']) {
    const guess = createHash(algorithm).update(cardKey(cardOf(0))).digest('hex')
    t.notOk(guess.startsWith(hash), algorithm)
  }
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
