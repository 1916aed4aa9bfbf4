// Four eyes through the door: who may start and approve, what waits, what goes stale; and the audit log that
// remembers all of it.
import t from 'tap'
import { auditBreak } from '../ledger/core/audit-chain.ts'
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
    'clerk proposal.start account/commerce/merchant-pending/BUS',
    'approver-1 proposal.approve account/commerce/merchant-pending/BUS'])
  const breaks = (log: typeof rows) => log.map((row, place) => auditBreak(log[place - 1] ?? null, row))
  t.strictSame(breaks(rows), [null, null])
  for (const change of [{ by: 'clerk2' }, { atMs: 1 }, { detail: '{}' }, { subject: 'x' }, { action: 'x' }]) {
    const [first, second] = rows as [typeof rows[0], typeof rows[0]]
    t.match(breaks([{ ...first, ...change }, second])[0], /audit 1 was changed/, Object.keys(change).join())
  }
  t.match(breaks(rows.slice(1))[0], /audit 1 is missing/)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
