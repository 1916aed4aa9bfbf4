// The archive of clearing dates: made once, each naming the one before, and checked by a program that knows
// no ledger and no database. The tar is unpacked by the system's own.
import t from 'tap'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { card, D, D1, D2, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
const folder = mkdtempSync(join(tmpdir(), 'archive-'))
t.teardown(async () => {
  rmSync(folder, { recursive: true, force: true })
  await doors.stop()
})

const root = join(import.meta.dirname, '..')
const start = join(root, 'runtime/start.mjs')
const check = (place: string, ...more: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath,
    [start, join(root, 'bin/verify-archive.ts'), place, ...more], { encoding: 'utf8' })
  return `${status}\n${stdout}${stderr}`
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex').toUpperCase()

async function settled (door: Door, date: string): Promise<void> {
  await door.ok('settler', 'POST', `/v1/days/${date}/close`)
  const { digest } = await door.ok('clerk', 'GET', `/v1/days/${date}`)
  for (const who of ['approver-1', 'approver-2'] as const) {
    await door.ok(who, 'POST', `/v1/days/${date}/approvals`, { digest })
  }
  await door.ok('settler', 'POST', `/v1/days/${date}/instruct`)
}

t.test('what is archived is checked without the ledger', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0), card(1)]))
  await deliver(door, 'delivery-1', [debit(0, 1), debit(1, 1, 'M1')])
  const archive = async (date: string) => await door.ask('settler', 'POST', `/v1/days/${date}/archive`)
  t.match((await archive(D)).json, { status: 409, reason: 'day_state' })
  t.match((await archive('2025-01-01')).json, { status: 404 })
  t.equal((await door.ask('auditor', 'GET', `/v1/days/${D}/archive.tar`)).status, 404)
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await settled(door, D)
  await deliver(door, 'delivery-2', [debit(0, 2, 'B1', { dateTime: '20260303010000' })])
  const moved = { debit: 'commerce/shortage', credit: 'commerce/fee-income', amountFen: 1 }
  const { json: { id } } = await door.ask('clerk', 'POST', '/v1/proposals', {
    json: { kind: 'correction', body: { transfers: [moved] }, reason: 'a proposal that ends on D1' }
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: false })
  door.clock.set(Date.parse('2026-03-04T01:00:00+08:00'))
  await settled(door, D1)

  const { sha256: last } = await door.ok('settler', 'POST', `/v1/days/${D1}/archive`) // and D with it
  t.strictSame(await door.ok('settler', 'POST', `/v1/days/${D1}/archive`), { sha256: last }, 'made once')
  t.match((await archive(D2)).json, { status: 409 }, 'a date that is open')
  const byTar = join(folder, 'tar')
  execFileSync('mkdir', [byTar])
  for (const date of [D, D1]) {
    const bytes = await door.bytes('auditor', `/v1/days/${date}/archive.tar`)
    t.ok(bytes.equals(await door.bytes('clerk', `/v1/days/${date}/archive.tar`)), 'the same bytes')
    execFileSync('tar', ['-xf', '-', '-C', byTar], { input: bytes })
  }
  const good = check(byTar, '--last', last)
  t.match(good, new RegExp(`^0\n${D}: as it was archived.*\n${D1}: as it was archived, manifest ${last}\n$`))

  const byCommand = join(folder, 'command')
  const env = { ...process.env, LEDGER_DATABASE_URL: door.databaseUrl }
  const made = spawnSync(process.execPath, [start, join(root, 'ledger/main.ts'), 'archive', byCommand, D1],
    { env, encoding: 'utf8' })
  t.equal(made.stdout, `${D}\n${D1}\n`, made.stderr)
  execFileSync('diff', ['-r', byTar, byCommand])
  const files = readdirSync(join(byTar, D, 'statements')).sort()
  t.strictSame(files, ['commerce-BUS.json', 'commerce-ISS.json', 'commerce-MET.json', 'commerce-SHP.json'])
  const told = await door.ok('clerk', 'GET', `/v1/statements/BUS/${D}`)
  t.strictSame(JSON.parse(readFileSync(join(byTar, D, 'statements/commerce-BUS.json'), 'utf8')), told)
  t.match(JSON.parse(readFileSync(join(byTar, D, 'approvals.json'), 'utf8')),
    [{ staff: 'approver-1' }, { staff: 'approver-2' }])
  const { items } = await door.ok('auditor', 'GET', '/v1/audit?action=archive.make')
  t.match(items[0]?.detail, { sha256: last }, 'the log has the digest')

  /* ---- what is changed afterwards is found ---- */
  const changed = (name: string, change: (place: string) => void, ...more: string[]) => {
    const place = join(folder, name)
    cpSync(byTar, place, { recursive: true })
    change(place)
    return check(place, ...more)
  }
  const edit = (file: string, from: RegExp, to: string) => (place: string) => {
    const path = join(place, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
  }
  /** As somebody would who may write files: the manifests of this date and the next are made to fit. */
  const forged = (file: string, from: RegExp, to: string) => (place: string) => {
    const text = () => readFileSync(join(place, D, 'manifest.json'), 'utf8')
    const [wasFile, was] = [readFileSync(join(place, D, file), 'utf8'), sha256(text())]
    edit(join(D, file), from, to)(place)
    const now = readFileSync(join(place, D, file), 'utf8')
    writeFileSync(join(place, D, 'manifest.json'), text().replace(sha256(wasFile), sha256(now))
      .replace(`"bytes":${wasFile.length},"name":"${file}"`, `"bytes":${now.length},"name":"${file}"`))
    edit(join(D1, 'manifest.json'), new RegExp(was), sha256(text()))(place)
  }
  t.match(changed('a', edit(`${D}/statements/commerce-BUS.json`, /"netFen":179/, '"netFen":999')),
    /^1\n[^]*commerce-BUS.json is not the file of the manifest/)
  t.match(changed('b', place => { rmSync(join(place, D), { recursive: true }) }), /and nothing stands before it/)
  t.match(changed('c', place => { writeFileSync(join(place, D, 'more.json'), '{}') }), /in no manifest/)
  t.match(changed('d', place => { rmSync(join(place, D1, 'steps.json')) }), /steps.json is missing/)
  t.match(changed('e', forged('statements/commerce-BUS.json', /"netFen":179/, '"netFen":999')),
    /another net than the position: 999, not 179/)
  t.match(changed('f', forged('approvals.json', /approver-2/, 'approver-1')), /1 people approved/)
  t.match(changed('g', forged('positions.json', /"netFen":179/, '"netFen":178')), /0 people approved/)
  t.match(changed('h', forged('statements/commerce-MET.json', /"root":"../, '"root":"00')),
    /head is not signed/)
  t.match(changed('i', forged('steps.json', /settler/, 'nobody!'), '--last', last),
    new RegExp(`^1\n[^]*WRONG: the last manifest is not ${last}`), 'made anew, found by the log')

  t.strictSame((await verifyBooks(door.db)).checks.filter(({ ok }) => !ok), [])
  await door.db.query("update day_step set by_whom = 'nobody' where state = 'CUT'")
  const spoilt = await verifyBooks(door.db)
  t.match(JSON.stringify(spoilt.checks.filter(({ ok }) => !ok)), /archive of 2026-03-02: steps.json is not/)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
t.strictSame(doors.unused().filter(route => /archive/.test(route)), [], 'every route was used')
