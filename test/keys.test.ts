// Master keys: what a version may do on which day, and the same bytes from an encrypted file and from a token
// (SoftHSM2 behind p11-kit, in a process of its own). Keys and expected values are those of the published and
// the own worked examples of the purse.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { softHsmMissing, startSoftHsm, type SoftHsm } from '../bin/soft-hsm.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import { diversify } from '../schemas/epurse/keys.ts'
import { purchaseTac } from '../schemas/epurse/mac.ts'
import { suites, type SuiteName } from '../schemas/epurse/suite.ts'
import { withCardKeys } from '../ledger/keys/card-keys.ts'
import { hold } from '../ledger/keys/ceremony.ts'
import { checkValue, combine, componentText, readComponent } from '../ledger/keys/components.ts'
import type { KeyStore, KeyVault } from '../ledger/keys/key-store.ts'
import {
  findKey, issuingKey, keyName, mayDestroy, mayRetire, nextVersion, readKeyName, stateOf, type HeldKey,
  type KeyReason, type MasterRef, type Purpose
} from '../ledger/keys/master-keys.ts'
import { openKeyStore, openKeyVault } from '../ledger/keys/open-store.ts'
import { readTokenUri, tokenUri } from '../ledger/keys/token-uri.ts'
import { itemLength } from '../ledger/tac/tac-item.ts'
import { startTacPool } from '../ledger/tac/tac-pool.ts'
import { searchMemory, shapesOf } from '../bench/support/memory.ts'

const dir = mkdtempSync(join(tmpdir(), 'keys-'))
// Before the first test: tap ends a file that waits for anything else.
const missing = softHsmMissing()
const hsm: SoftHsm | null = missing === null ? await startSoftHsm({ dir: join(dir, 'hsm') }) : null
Object.assign(process.env, hsm?.env)
t.teardown(async () => {
  await hsm?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** First 16 bytes of SHA-256 of `citycard-test-NAME`. */
const masterOf = (name: string): Uint8Array =>
  createHash('sha256').update(`citycard-test-${name}`).digest().subarray(0, 16)
const refOf = (name: string): MasterRef => readKeyName(name) as MasterRef
/** For programs of others. */
const inTime = { timeout: 20_000, killSignal: 'SIGKILL' } as const
/** How the message of a refusal begins. */
const because = (reason: KeyReason): RegExp => new RegExp(`^${reason}: `)
const years = { from: '2020-01-01', to: null }
const city = '9900FF0000000000'

/* ---- days and names ---- */

const held = (name: string, from: string, to: string | null): HeldKey =>
  ({ ...refOf(name), from, to, check: 'ABCDEF' })

t.test('what a version does on which day', async t => {
  const all = [
    held('tac.3des.01', '2020-01-01', '2027-12-31'), held('tac.3des.02', '2026-06-01', null),
    held('tac.3des.03', '2028-01-01', null), held('load.3des.01', '2020-01-01', null),
    held(`tac.3des.01.${city}`, '2020-01-01', null)]
  const states = (day: string) => all.slice(0, 3).map(key => stateOf(key, all, day)).join(' ')
  for (const [day, expected] of [
    ['2019-12-31', 'coming coming coming'],
    ['2020-01-01', 'issuing coming coming'],
    ['2026-05-31', 'issuing coming coming'],
    ['2026-06-01', 'verifying issuing coming'],
    ['2027-12-31', 'verifying issuing coming'],
    ['2028-01-01', 'retired verifying issuing']] as const) t.equal(states(day), expected, day)
  t.equal(issuingKey(all, refOf('tac.3des.01'), '2019-12-31'), null)
  t.equal(keyName(nextVersion(all, refOf('tac.3des.01'))), 'tac.3des.04')
  t.throws(() => nextVersion(all, refOf('purchase.3des.01')), because('key_unknown'))
  t.throws(() => nextVersion([held('tac.3des.FF', '2020-01-01', null)], refOf('tac.3des.01')),
    because('key_versions_used_up'))
  mayRetire(all, refOf('tac.3des.02'), '2029-01-01')
  t.throws(() => { mayRetire(all, refOf('load.3des.01'), '2027-01-01') }, because('key_still_issues'))
  t.throws(() => { mayRetire(all, refOf('tac.3des.02'), '2026-05-31') }, because('dates_wrong'),
    'the last day before the first')
  t.throws(() => { mayRetire(all, refOf('tac.3des.09'), '2027-01-01') }, because('key_unknown'))
  mayDestroy(all, refOf('tac.3des.01'), 'abcdef', '2028-01-01')
  t.throws(() => { mayDestroy(all, refOf('tac.3des.01'), 'ABCDEF', '2027-12-31') },
    because('key_still_valid'))
  t.throws(() => { mayDestroy(all, refOf('tac.3des.01'), '000000', '2028-01-01') },
    because('check_value_wrong'))
})

t.test('names and places, both ways', async t => {
  for (const name of ['tac.3des.01', 'load.sm4.FF', `card_master.3des.00.${city}`]) {
    t.equal(keyName(refOf(name)), name)
  }
  for (const name of ['tac.3des.1', 'tac.aes.01', 'toString.3des.01', 'tac.3des.01.99', 'tac.3des.0a', '']) {
    t.equal(readKeyName(name), null, name)
  }
  const place = { token: 'citizen card', module: '/usr/lib/a b/p11-kit-client.so' }
  t.strictSame(readTokenUri(tokenUri(place)), place)
  for (const uri of ['pkcs11:', 'pkcs11:token=a', 'pkcs11:token=a?module-path=relative.so']) {
    t.throws(() => readTokenUri(uri), /is no token/, uri)
  }
})

t.test('a key from components', async t => {
  const key = masterOf('MTK')
  const [one, two] = [masterOf('one'), masterOf('two')]
  const three = key.map((byte, at) => byte ^ (one[at] as number) ^ (two[at] as number))
  const texts = [one, two, three].map(part => componentText('3des', part))
  const parts = texts.map((text, at) => readComponent('3des', text, at + 1))
  t.equal(hex(combine(parts)), hex(key))
  t.strictSame(parts.map(hex), Array.from({ length: 3 }, () => '0'.repeat(32)), 'components are overwritten')
  const mistyped = (texts[1] as string).replace(/.$/, digit => digit === '0' ? '1' : '0')
  t.throws(() => readComponent('3des', mistyped, 2), because('check_value_wrong'))
  t.throws(() => readComponent('3des', '00112233', 1), because('component_wrong'))
  t.throws(() => combine([one.slice()]), because('too_few_components'))
  t.throws(() => combine([one.slice(), one.slice()]), because('too_few_components'), 'twice is never')
  t.equal(checkValue('sm4', unhex(asText)), zerosUnder('-sm4-ecb', 16), 'the ciphers of another program')
  t.equal(checkValue('3des', unhex(asText)), zerosUnder('-des-ede-ecb', 8))
})
const asText = '0123456789ABCDEFFEDCBA9876543210'
const zerosUnder = (cipher: string, block: number): string => hex(execFileSync('openssl',
  ['enc', cipher, '-nopad', '-K', asText],
  { input: Buffer.alloc(block), ...inTime }).subarray(0, 3))

/* ---- both stores ---- */

type Backend = { readonly name: 'file' | 'token', readonly place: string, readonly secret: string }
const random = (length: number): Uint8Array => new Uint8Array(length).fill(7)
const file: Backend = { name: 'file', place: join(dir, 'keys.sealed'), secret: 'test' }

const token: Backend | null = hsm === null
  ? null
  : { name: 'token', place: tokenUri({ token: hsm.label, module: hsm.clientModule }), secret: hsm.pin }

/** Over the socket for ceremonies; what is opened afterwards goes over the other one again. */
async function vaultOf ({ place, secret }: Backend): Promise<KeyVault> {
  Object.assign(process.env, hsm?.ceremonyEnv)
  try {
    return await openKeyVault(place, secret, random)
  } finally {
    Object.assign(process.env, hsm?.env)
  }
}

/** Names of keys and of the made-up masters. */
const given: readonly (readonly [string, string])[] = [
  ['tac.3des.01', 'MTK'], ['load.3des.01', 'MLK'], ['maintenance.3des.01', 'MAMK'],
  ['purchase.3des.01', 'MPK']]

for (const backend of [file, ...token === null ? [] : [token]]) {
  t.test(`vectors: ${backend.name}`, async t => {
    const vault = await vaultOf(backend)
    for (const [name, master] of given) vault.put(refOf(name), years, masterOf(master))
    t.throws(() => { vault.put(refOf('tac.3des.01'), years, masterOf('MLK')) }, because('key_exists'))
    // Of a national root: what its encryption of a city's factor is, published with the examples.
    const cityKey = unhex('5AF0EEA3CBD2CE4B1CABD999B1CE5443')
    vault.put(refOf(`purchase.3des.01.${city}`), years, cityKey)
    vault.close()
    const store = await openKeyStore(backend.place, backend.secret)
    t.teardown(() => { store.close() })
    t.strictSame(store.list().map(key => [keyName(key), key.check, key.from, key.to]).sort(), [
      ...given.map(([name, master]) => [name, checkValue('3des', masterOf(master)), '2020-01-01', null]),
      [`purchase.3des.01.${city}`, checkValue('3des', cityKey), '2020-01-01', null]].sort())
    checkCardKeys(t, store)
    checkBulk(t, store)
  })

  t.test(`through a worker: ${backend.name}`, async t => { await checkWorker(t, backend) })
  t.test(`rotation: ${backend.name}`, async t => { await checkRotation(t, backend) })
}

const card = '0000000012345678'

function cardKey (
  store: KeyStore, purpose: Purpose, levels: { city?: string, order?: 'city-first' | 'card-first' } = {}
): string | null {
  const factors = {
    cards: unhex(card), city: levels.city === undefined ? null : unhex(levels.city),
    order: levels.order ?? 'city-first'
  }
  return withCardKeys(store, { purpose, suite: '3des', keyVersion: 1 }, factors, hex)
}

function checkCardKeys (t: Test, store: KeyStore): void {
  for (const [purpose, expected] of [
    ['purchase', '823DFFCEE44C9F865DB871AFEFAE7E98'], ['load', 'FA1FE3DCF52B88F92378D120E99C45A3'],
    ['tac', 'C0DBA7F6D107883762B0EA39992C0E8E'], ['maintenance', '681B429A8E3F8EDEC036AE34A5A83627']
  ] as const) t.equal(cardKey(store, purpose), expected, purpose)
  t.equal(cardKey(store, 'purchase', { city }), '8AC516A7DDA8C0EEC31C44D89D86C3E1', 'city, then card')
  t.equal(cardKey(store, 'purchase', { city, order: 'card-first' }), 'DCBF0B6EAC5D64AA8980410430A26583')
  t.equal(cardKey(store, 'pin_reload'), null, 'a purpose without a key')
  // Only where the key of a city may be opened in this memory does a root alone suffice.
  t.equal(cardKey(store, 'tac', { city }) !== null, store.opensCities)
  t.throws(() => store.encrypt(refOf('tac.3des.02'), new Uint8Array(8)), because('key_unknown'))
}

/** More than one part of a token's message. By the other route: each key by itself. */
function checkBulk (t: Test, store: KeyStore): void {
  const count = 20_000
  const factors = createHash('sha256').update('factors').digest()
  const cards = new Uint8Array(8 * count).map((_, at) => (factors[at % 32] as number) ^ at >> 5 & 0xFF)
  const scheme = { purpose: 'tac', suite: '3des', keyVersion: 1 } as const
  let kept = new Uint8Array(0) as Uint8Array
  const wrong = withCardKeys(store, scheme, { cards, city: null, order: 'city-first' }, keys => {
    kept = keys
    t.equal(keys.length, 16 * count)
    return Array.from({ length: count }, (_, at) => at).filter(at => at % 97 === 0 || at > count - 10)
      .filter(at => hex(keys.subarray(16 * at, 16 * at + 16)) !==
        hex(diversify(suites['3des'], masterOf('MTK'), [cards.subarray(8 * at, 8 * at + 8)])))
  })
  t.strictSame(wrong, [])
  t.ok(kept.every(byte => byte === 0), 'what was kept is zeros')
  t.throws(() => withCardKeys(store, scheme, { cards: cards.subarray(0, 8), city: null, order: 'city-first' },
    keys => { kept = keys; throw new Error('in the middle') }), /in the middle/)
  t.ok(kept.length === 16 && kept.every(byte => byte === 0), 'also after a throw')
}

/* ---- through the pool ---- */

type Tap = {
  readonly version?: number, readonly suite?: SuiteName, readonly city?: string, readonly dateTime?: string
  readonly tac: string
}

/** Bytes of one item, by hand: amount 2.00, type 06, as in the worked purchase. */
const itemOf = ({ version = 1, suite = '3des', city, dateTime = '20260105083015', tac }: Tap): Buffer => {
  const item = Buffer.alloc(itemLength)
  Buffer.from([suite === '3des' ? 0 : 1, version, city === undefined ? 1 : 2]).copy(item)
  Buffer.from(`${card}${city ?? '0000000000000000'}`, 'hex').copy(item, 3)
  Buffer.from(`000000C806990000000001${'00000123'}${dateTime}${tac}`, 'hex').copy(item, 19)
  return item
}
const itemsOf = (...taps: Tap[]): Uint8Array => new Uint8Array(Buffer.concat(taps.map(itemOf)))

/** The TAC that a chip makes whose master is this. */
const tacOf = (master: Uint8Array, dateTime: string): string => {
  const suite = suites['3des']
  return hex(purchaseTac({
    suite, dtk: diversify(suite, master, [unhex(card)]), amountFen: 200, type: 6,
    terminal6: unhex('990000000001'), sequence4: unhex('00000123'), date4: unhex(dateTime.slice(0, 8)),
    time3: unhex(dateTime.slice(8))
  }))
}

const load = {
  suite: '3des', keyVersion: 1, cardFactor: card, amountFen: 0x1388, counter: 7, terminal: '990000000099',
  dateTime: '20260105090000'
} as const

async function checkWorker (t: Test, backend: Backend): Promise<void> {
  const pool = await startTacPool({ workers: 2, keyFile: backend.place, passphrase: backend.secret })
  t.teardown(() => pool.close())
  const right = { tac: '03FC20B1' }
  t.strictSame([...await pool.verify(itemsOf(right, { tac: '03FC20B0' }, right), 'city-first')], [1, 0, 1])
  t.strictSame([...await pool.verify(itemsOf({ ...right, version: 2 }, { ...right, suite: 'sm4' }, right),
    'city-first')], [0, 0, 1], 'a version and a cipher without a key')
  const asked = { ...load, ask: 'macs', balanceFen: 0x2648, random: '5E6F7081', mac1: 'EF9FAE34' } as const
  const answer = await pool.load(asked)
  t.equal(hex(answer.mac2 ?? new Uint8Array(0)), 'C6EB3CCB')
  t.match(await pool.load({ ...asked, mac1: 'EF9FAE35' }), { known: true, right: false, mac2: null })
  t.match(await pool.load({ ...asked, keyVersion: 2 }), { known: false })
  t.match(await pool.load({ ...asked, dateTime: '20191231235959' }), { known: false }, 'before its first day')
  t.match(await pool.load({
    ...load, ask: 'tac', balanceFen: 0x39D0, tac: '8A77D40A', order: 'city-first', cityFactor: null
  }), { known: true, right: true })
  const block = {
    ask: 'order', suite: '3des', keyVersion: 1, cardFactor: card, challenge: 'C0FFEE01', pinNo: 0,
    order: { order: 'block_application', form: 'temporary' }
  } as const
  t.equal(hex((await pool.chip(block)).command ?? new Uint8Array(0)), '841E0000044366832D')
  t.equal((await pool.chip({ ...block, keyVersion: 2 })).command, null)
}

/**
 * Cards of version 1 live on beside those of version 2 until its last day, and what they did before it stays.
 */
async function checkRotation (t: Test, backend: Backend): Promise<void> {
  const [old, next] = [refOf('tac.3des.01'), refOf('tac.3des.02')]
  const before = '20260105083015'
  const after = '20270101000000'
  const taps = itemsOf(
    { version: 1, dateTime: before, tac: tacOf(masterOf('MTK'), before) },
    { version: 2, dateTime: before, tac: tacOf(masterOf('second'), before) },
    { version: 1, dateTime: after, tac: tacOf(masterOf('MTK'), after) },
    { version: 2, dateTime: after, tac: tacOf(masterOf('second'), after) })
  const verified = async (): Promise<number[]> => {
    const pool = await startTacPool({ workers: 1, keyFile: backend.place, passphrase: backend.secret })
    const valid = [...await pool.verify(taps, 'city-first')]
    await pool.close()
    return valid
  }
  const change = async (work: (vault: KeyVault) => void): Promise<void> => {
    const vault = await vaultOf(backend)
    try {
      work(vault)
    } finally {
      vault.close()
    }
  }
  await change(vault => { vault.put(next, { from: '2026-01-01', to: null }, masterOf('second')) })
  t.strictSame(await verified(), [1, 1, 1, 1], 'both live')
  await change(vault => { vault.end(old, '2026-12-31') })
  t.strictSame(await verified(), [1, 1, 0, 1], 'nothing new of the old one, and nothing old is lost')
  await change(vault => {
    const all = vault.list()
    t.equal(findKey(all, old)?.to, '2026-12-31')
    t.equal(issuingKey(all, old, '2026-01-05')?.keyVersion, 2)
    vault.destroy(old)
    t.throws(() => { vault.destroy(old) }, because('key_unknown'))
  })
  t.strictSame(await verified(), [0, 1, 0, 1], 'gone')
  await change(vault => { vault.destroy(next); vault.put(old, years, masterOf('MTK')) })
}

t.test('SM4 is in files', async t => {
  const place = join(dir, 'sm4.sealed')
  const vault = await openKeyVault(place, 'test', random)
  vault.put(refOf('tac.sm4.01'), years, masterOf('MTK'))
  vault.put(refOf('tac.3des.01'), years, masterOf('MTK'))
  vault.close()
  const pool = await startTacPool({ workers: 1, keyFile: place, passphrase: 'test' })
  t.teardown(() => pool.close())
  t.strictSame([...await pool.verify(
    itemsOf({ suite: 'sm4', tac: '1BFF4140' }, { tac: '03FC20B1' }, { suite: 'sm4', tac: '03FC20B1' }),
    'city-first')], [1, 1, 0], 'side by side with triple DES')
})

/* ---- what a token gives away, and what happens without it ---- */

t.test('a token', { skip: missing ?? false, timeout: 120_000 }, async t => {
  const { place, secret } = token as Backend
  const { clientModule, pin, label } = hsm as SoftHsm
  /** Somebody else's program, on the same socket. */
  const tool = (...args: string[]) => spawnSync('pkcs11-tool', [
    '--module', clientModule, '--token-label', label, '--login', '--pin', pin, ...args
  ], { encoding: 'utf8', env: { ...process.env, ...hsm?.ceremonyEnv }, ...inTime })

  await t.test('does not give keys away', async t => {
    const shown = tool('--list-objects', '--type', 'secrkey')
    t.match(shown.stdout, /label:\s+tac\.3des\.01/)
    const read = tool('--read-object', '--type', 'secrkey', '--label', 'tac.3des.01')
    t.not(read.status, 0)
    t.match(read.stderr + read.stdout, /CKR_ATTRIBUTE_SENSITIVE/)
    t.notOk((read.stdout + read.stderr).includes(hex(masterOf('MTK')).toLowerCase()))
  })
  await t.test('whose key could be taken out is not used', async t => {
    const made = tool('--keygen', '--key-type', 'AES:16', '--label', 'tac.3des.07',
      '--id', Buffer.from('2020-01-01/').toString('hex'), '--extractable')
    t.equal(made.status, 0, made.stderr)
    await t.rejects(openKeyStore(place, secret), because('key_extractable'))
    t.equal(tool('--delete-object', '--type', 'secrkey', '--label', 'tac.3des.07').status, 0)
    const store = await openKeyStore(place, secret)
    store.close()
  })
  await t.test('is not changed over the socket of a ledger', async t => {
    await t.rejects(openKeyVault(place, secret, random), because('store_read_only'))
  })
  await t.test('knows no SM4', async t => {
    const vault = await vaultOf(token as Backend)
    const reason = 'suite_not_in_token'
    t.throws(() => { vault.put(refOf('tac.sm4.01'), years, masterOf('MTK')) }, because(reason))
    t.throws(() => { vault.generate(refOf('tac.sm4.01'), years) }, because(reason))
    vault.close()
  })
  await t.test('with another PIN, another label, or none', async t => {
    await t.rejects(openKeyStore(place, '0000'), because('pin_wrong'))
    await t.rejects(openKeyStore(place.replace(label, 'elsewhere'), secret), because('store_unreachable'))
  })
  await t.test('that goes away and comes back', async t => {
    const pool = await startTacPool({ workers: 1, keyFile: place, passphrase: secret })
    t.teardown(() => pool.close())
    const ask = async () => [...await pool.verify(itemsOf({ tac: '03FC20B1' }), 'city-first')]
    t.strictSame(await ask(), [1])
    await endRemotes(hsm as SoftHsm)
    await t.rejects(ask(), because('store_unreachable'))
    await t.rejects(ask(), because('store_unreachable'), 'the next thread finds nobody either')
    await hsm?.start()
    t.strictSame(await ask(), [1])
  })
  await t.test('whose masters are not in the memory of a process of ours', async t => {
    await checkMemory(t)
  })
})

/** The server and the processes that it made for those who are connected. */
async function endRemotes (hsm: SoftHsm): Promise<void> {
  for (const pid of remotesOf(hsm)) killIfThere(pid)
  await hsm.stop()
}
function killIfThere (pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
const remotesOf = ({ serverPid }: SoftHsm): number[] =>
  readFileSync(`/proc/${serverPid}/task/${serverPid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)

/** The same look finds them where the store is a file: so it can find them. */
async function checkMemory (t: Test): Promise<void> {
  const items = join(dir, 'items')
  writeFileSync(items, Buffer.concat(Array.from({ length: 1_000 }, () => itemOf({ tac: '03FC20B1' }))))
  const master = masterOf('MTK')
  const looks = shapesOf('master', master)
  const look = async ({ place, secret }: Backend) => {
    const child = await superviseChild<{ valid: number }>({
      name: 'verifier',
      ...nodeCommand(join(import.meta.dirname, '../bench/support/verifier-main.ts'), [place, secret, items])
    })
    try {
      t.equal(child.ready.valid, 1_000)
      return searchMemory(child.pid, looks)
    } finally {
      await child.stop()
    }
  }
  const inFile = await look(file)
  t.ok(Object.values(inFile.times).some(times => times > 0), 'found where it is a file')
  const inToken = await look(token as Backend)
  t.ok(inToken.bytesRead > 50 * 2 ** 20, `${inToken.bytesRead} bytes were read`)
  t.strictSame(Object.values(inToken.times).filter(times => times > 0), [])
  t.comment(JSON.stringify({ inFile, inToken }))
}

/* ---- ceremonies ---- */

t.test('a ceremony', async t => {
  const place = join(dir, 'ceremony.sealed')
  async function * typedBy (lines: readonly string[]): AsyncGenerator<string> { yield * lines }
  const said = (lines: readonly string[], ...words: string[]): Promise<string> => hold({
    openVault: () => openKeyVault(place, 'test', randomBytes), today: '2026-11-27', random: randomBytes,
    typed: typedBy(lines)
  }, words)
  const none: readonly string[] = []
  const parts = [await said(none, 'component', '3des'), await said(none, 'component', '3des')]
  for (const part of parts) t.match(part, /^[0-9A-F]{32} [0-9A-F]{6}$/)
  const [one, two] = parts.map((part, at) => readComponent('3des', part, at)) as [Uint8Array, Uint8Array]
  const check = checkValue('3des', combine([one, two]))
  const from = ['--from', '2020-01-01']
  await t.rejects(said(parts, 'import', 'tac.3des.01', '--check', '000000', ...from),
    because('check_value_wrong'))
  await t.rejects(said(parts.slice(1), 'import', 'tac.3des.01'), because('too_few_components'))
  t.equal(await said(parts, 'import', 'tac.3des.01', '--check', check, ...from),
    `tac.3des.01 ${check} from 2020-01-01`)
  t.match(await said(none, 'derive', `tac.3des.01.${city}`), new RegExp(`^tac.3des.01.${city} `))
  await t.rejects(said(none, 'retire', 'tac.3des.01', '--to', '2021-12-31'), because('key_still_issues'))
  t.match(await said(none, 'rotate', 'tac.3des', '--from', '2021-01-01'), /^tac\.3des\.02 /)
  t.equal(await said(none, 'retire', 'tac.3des.01', '--to', '2021-12-31'),
    `tac.3des.01 ${check} from 2020-01-01 to 2021-12-31`)
  await t.rejects(said(none, 'destroy', 'tac.3des.02', '--check', check), because('check_value_wrong'))
  const states = (await said(none, 'list')).split('\n').slice(1).map(line => line.split('\t'))
  t.strictSame(states.map(([name, , from, to, state]) => [name, from, to, state]), [
    ['tac.3des.01', '2020-01-01', '2021-12-31', 'retired'],
    [`tac.3des.01.${city}`, '2020-01-01', '-', 'issuing'],
    ['tac.3des.02', '2021-01-01', '-', 'issuing']])
  const main = join(import.meta.dirname, '../ledger/keys/main.ts')
  const { command, args } = nodeCommand(main, ['export', 'tac.3des.01'])
  const env = { ...process.env, LEDGER_KEYS: place, LEDGER_KEYS_PASSPHRASE: 'test' }
  const program = spawnSync(command, args ?? [], { encoding: 'utf8', input: '', env, ...inTime })
  t.match(program, { status: 1, stderr: /^keys: key_not_exportable: tac\.3des\.01/ }, 'the program, too')
  t.equal(await said(none, 'destroy', 'tac.3des.01', '--check', check), 'tac.3des.01 is gone')
})
