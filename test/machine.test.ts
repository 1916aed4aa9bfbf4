// What makes a machine work: the plan of the set-up; the embedded PostgreSQL, from nothing and after a crash.

import t, { type Test } from 'tap'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { findPostgres, type Postgres, startPostgres } from '../bin/postgres.ts'
import { removeData } from '../bin/postgres-place.ts'
import { runTestFile } from '../bin/test-file.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const setup = join(root, 'bin/setup.mjs')

t.test('the set-up plans what a machine lacks', async t => {
  const dir = t.testdir({
    bare: 'Package: bash\nStatus: install ok installed\nVersion: 5\n',
    half: [
      'Package: g++\nStatus: install ok installed\nArchitecture: amd64\n',
      'Package: make\nArchitecture: amd64\nStatus: install ok installed\n',
      'Package: pcscd\nStatus: deinstall ok config-files\nArchitecture: amd64\n',
      'Package: python3-minimal\nStatus: install ok installed\n',
      'Package: libpcsclite1\nStatus: deinstall ok config-files\nArchitecture: i386\n',
      'Package: libpcsclite1\nStatus: install ok installed\nArchitecture: amd64\n'
    ].join('\n')
  })
  const plan = (...args: string[]) => {
    const text = execFileSync(process.execPath, [setup, ...args], { encoding: 'utf8' })
    return (JSON.parse(text) as { debian: string[] }).debian.filter(name => name !== 'libnode-dev')
  }
  const all = [
    'g++', 'make', 'python3', 'libpcsclite-dev', 'libpcsclite1', 'pcscd', 'vsmartcard-vpcd', 'iproute2',
    'util-linux', 'openssl'
  ]
  t.same(plan('--plan', `${dir}/bare`), all)
  t.same(plan('--plan', `${dir}/none`), all, 'no dpkg at all')
  t.same(plan('--plan', `${dir}/bare`, '--then', 'bin/test.ts'),
    [...all, 'pcsc-tools', 'opensc', 'socat', 'redis-server', 'postgresql', 'chromium', 'hledger',
      'softhsm2', 'p11-kit', 'p11-kit-modules'],
    'card tools of others, cables, Redis, PostgreSQL with its tools, a browser, hledger, a token')
  t.same(plan('--plan', `${dir}/bare`, '--only', 'npm'), [])
  t.same(plan('--plan', `${dir}/half`),
    ['python3', 'libpcsclite-dev', 'pcscd', 'vsmartcard-vpcd', 'iproute2', 'util-linux', 'openssl'],
    'removed packages do not count, nor do names that only begin alike')
})

t.test('the set-up hands over arguments, signals and the exit code', async t => {
  const dir = t.testdir({
    'echo.ts': `
      const words: string[] = process.argv.slice(2)
      console.log(words.join('|'))
      process.exit(words.length)`,
    'wait.ts': `
      setInterval(() => undefined, 1000)
      process.on('SIGTERM', () => process.exit(7))
      console.log('waiting')`,
    'die.ts': `
      process.kill(process.pid, 'SIGKILL')
      setInterval(() => undefined, 1000)`
  }).slice(root.length + 1)
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [setup, '--only', 'npm', ...args], { encoding: 'utf8' })
  const echo = run('--then', `${dir}/echo.ts`, 'a b', '--quiet', '--then')
  t.equal(echo.stdout, 'a b|--quiet|--then\n')
  t.equal(echo.status, 3)
  t.equal(run('--then', `${dir}/die.ts`).signal, 'SIGKILL')
  t.match(run('--then', 'bin/nothing.ts'), { status: 1, stderr: 'setup: there is no bin/nothing.ts\n' })
  t.match(run('--fast'), { status: 1, stderr: /unknown argument --fast; known: --only npm/ })

  const waiting = spawn(process.execPath, [setup, '--only', 'npm', '--then', `${dir}/wait.ts`])
  waiting.stdout.once('data', () => waiting.kill('SIGTERM'))
  t.equal(await new Promise(resolve => waiting.on('exit', resolve)), 7)
})

t.test('the test runner counts what a file prints', async t => {
  const dir = t.testdir({
    'mixed.test.ts': `
      import t from 'tap'
      t.test('fine', async t => { t.ok(true) })
      t.test('bill', async t => {
        t.ok(true)
        await t.test('deep', async t => { t.equal(1, 2, 'the sum') })
      })
      t.test('reader', { skip: 'needs pcscd' }, async t => { t.fail() })
      t.test('plan', t => { t.plan(2); t.ok(true); t.end() })
      t.test('later', { todo: 'tomorrow' }, async t => { t.fail() })`,
    'exit.test.ts': "import t from 'tap'\nt.ok(true)\nsetTimeout(() => process.exit(3), 20)",
    'empty.test.ts': "console.error('nothing here')",
    'away.test.ts': "import './nowhere.ts'",
    'stays.test.ts': "import t from 'tap'\nt.ok(true)\nt.end()\nprocess.on('exit', () => { for (;;); })",
    'hangs.test.ts': "import t from 'tap'\nt.test('waits', () => new Promise(r => { setTimeout(r, 1e6) }))"
  }).slice(root.length + 1)
  const run = async (name: string, stop = new AbortController().signal) => {
    const { passed, failures, skips, noise } = await runTestFile(root, `${dir}/${name}.test.ts`, stop)
    return { passed, failures: failures.map(({ name }) => name), skips, noise }
  }
  t.match(await run('mixed'), {
    passed: 3,
    failures: ['bill > deep > the sum', 'plan > test count(1) != plan(2)'],
    skips: [{ name: 'reader', reason: 'needs pcscd' }, { name: 'later', reason: 'to do: tomorrow' }]
  })
  t.match(await run('exit'), { passed: 1, failures: ['the process'] })
  t.match(await run('empty'), { passed: 0, failures: ['the file'], noise: ['nothing here'] })
  t.match(await run('away'), { passed: 0, failures: ['the process'] })
  const stays = await runTestFile(root, `${dir}/stays.test.ts`, new AbortController().signal, 1)
  t.match(stays, {
    passed: 1, failures: [{
      name: 'the process', details: { why: 'every assertion is there, and it did not end within 1 s' }
    }]
  })
  t.equal((await run('hangs', AbortSignal.timeout(1_500))).failures.length, 1, 'ended when told to stop')
})

t.test('PostgreSQL', async t => {
  const debian = '/usr/lib/postgresql'
  const majors = existsSync(debian) ? readdirSync(debian).filter(major => Number(major) >= 15) : []
  t.test('as packaged', async t => { await lifeOfAServer(t, {}) })
  for (const major of majors) {
    t.test(`Debian's ${major}`, async t => { await lifeOfAServer(t, { binDir: `${debian}/${major}/bin` }) })
  }

  t.test('a server that cannot start says why', async t => {
    const dataDir = freshDir(t)
    await t.rejects(startPostgres({ dataDir, settings: { shared_buffers: 'much' } }),
      /PostgreSQL on .*: the server ended at once\n.*shared_buffers/)
    await t.rejects(startPostgres({ dataDir, binDir: '/nowhere/bin' }), /no PostgreSQL binaries in \/nowhere\/bin/)
    writeFileSync(join(dataDir, 'PG_VERSION'), '9\n')
    await t.rejects(startPostgres({ dataDir }), /was made by PostgreSQL 9, the binaries are PostgreSQL 17/)
  })

  t.test('a server ends with the process that started it', async t => {
    const dir = t.testdir({
      'starter.ts': `
        import { startPostgres } from '${new URL('../bin/postgres.ts', import.meta.url).href}'
        console.log((await startPostgres({ dataDir: process.argv[2] as string })).pid)`
    })
    const dataDir = freshDir(t)
    const args = ['--import', 'tsx', join(dir, 'starter.ts'), dataDir]
    const starter = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = Number(await new Promise(resolve => createInterface(starter.stdout).once('line', resolve)))
    t.equal(findPostgres(dataDir)?.pid, pid)
    starter.kill('SIGKILL')
    while (findPostgres(dataDir) !== null) await delay(10)
  })

  const skip = process.getuid?.() !== 0 && 'extra: not root'
  t.test('root\'s private folders are no obstacle', { skip }, async t => {
    const home = t.testdir({})
    execFileSync('chmod', ['700', home])
    const dataDir = join(home, 'data', 'pg')
    const server = await startPostgres({ dataDir })
    t.teardown(() => server.destroy())
    t.match(server.dataDir, /^\/var\/lib\/citizen-card\/data-/)
    t.equal(findPostgres(dataDir)?.port, server.port)
    await server.stop()
    removeData(dataDir)
    t.notOk(existsSync(server.dataDir))
    t.notOk(existsSync(dataDir))
  })
})

async function lifeOfAServer (t: Test, options: { binDir?: string }): Promise<void> {
  const dataDir = freshDir(t)
  const lines: string[] = []
  const start = () => startPostgres({ dataDir, ...options, log: line => lines.push(line) })
  let server = await start()
  t.teardown(() => server.destroy())
  const url = await server.ensureDatabase('card "1"')
  t.equal(await server.ensureDatabase('card "1"'), url, 'there already')

  const wanted = {
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    data_checksums: 'on',
    listen_addresses: '127.0.0.1'
  }
  const columns = Object.keys(wanted).map(name => `current_setting('${name}') as ${name}`)
  t.same(await query(url, `select ${columns.join(', ')}`), [wanted])
  t.ok(existsSync(join(server.socketDir, `.s.PGSQL.${server.port}`)))
  await t.rejects(query(url.replace(/:[^:@]+@/, ':wrong@'), 'select 1'), /password authentication failed/)
  t.equal(statSync(server.dataDir).mode & 0o777, 0o700)

  await t.rejects(start(), { message: new RegExp(`in use by PostgreSQL, process ${server.pid}`) })
  t.match(findPostgres(dataDir), { pid: server.pid, port: server.port })

  // One row is committed, one is not, when everything dies at once.
  await query(url, 'create table fen as select 1 as amount')
  const open = new pg.Client({ connectionString: url })
  open.on('error', () => undefined)
  await open.connect()
  await open.query('begin')
  await open.query('insert into fen values (2)')
  // Its server process computes and would not notice for long that the others are dead.
  open.query('select count(*) from generate_series(1, 1e9)').catch(() => undefined)
  const busy = "select from pg_stat_activity where state = 'active' and query like '%1e9)'"
  while ((await query(url, busy)).length === 0) await delay(10)
  const dead = server
  await server.kill()
  t.same(processesOf(dead), [], 'nobody is left of it')
  t.equal(findPostgres(dataDir), null)
  t.ok(existsSync(join(dead.dataDir, 'postmaster.pid')), 'left behind as in a crash')

  lines.length = 0
  server = await start()
  t.match(lines.join('\n'), /was not properly shut down; automatic recovery in progress/)
  t.same(await query(server.url('card "1"'), 'select amount from fen'), [{ amount: 1 }])
  await server.stop()
  t.match(lines.join('\n'), /database system is shut down/)
  t.notOk(existsSync(server.socketDir))

  server = await start()
  t.same(await query(server.url('card "1"'), 'select amount from fen'), [{ amount: 1 }])
}

async function query (connectionString: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return (await client.query(sql)).rows as unknown[]
  } finally {
    await client.end()
  }
}

/** Everything that stands in the data directory, as a server and its children do. */
function processesOf ({ dataDir }: Postgres): string[] {
  const script = 'for p in /proc/[0-9]*; do [ "$(readlink $p/cwd)" = "$0" ] && echo $p; done'
  const found = spawnSync('sh', ['-c', script, dataDir], { encoding: 'utf8' })
  return found.stdout.split('\n').filter(path => path !== '')
}

/** Open to the user that the server runs as, unlike a test's own folder in a clone under root's home. */
function freshDir (t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'citizen-card-test-'))
  chmodSync(dir, 0o755)
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'pg')
}
