// Four eyes through the door: who may start and approve, what waits, what goes stale; and the audit log that
// remembers all of it.
import t from 'tap'
import { auditBreak } from '../ledger/core/audit-chain.ts'
import { hasOverride } from '../ledger/day/override.ts'
import { readAudit } from '../ledger/store/audit.ts'
import { startDoors, type Door } from './support/ledger-http.ts'

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
  t.strictSame(rows.map(({ by, action, subject }) => `${by} ${action} ${subject}`), [
    'system bootstrap staff',
    'REGISTRAR registry.change registry',
    'clerk session.open staff/clerk',
    'clerk proposal.start account/commerce/merchant-pending/BUS',
    'approver-1 session.open staff/approver-1',
    'approver-1 proposal.approve account/commerce/merchant-pending/BUS'])
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

t.strictSame(doors.mismatches(), [], 'every answer is as described')
