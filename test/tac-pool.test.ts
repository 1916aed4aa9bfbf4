// The pool of key workers: a thread that dies fails what it was asked and nothing else.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { hex } from '../schemas/epurse/hex.ts'
import { sealKeys } from '../ledger/keys/key-file.ts'
import { itemLength } from '../ledger/tac/tac-item.ts'
import { startTacPool } from '../ledger/tac/tac-pool.ts'
import { masterTacKey } from './support/posting.ts'

const keyFile = join(mkdtempSync(join(tmpdir(), 'tac-')), 'keys.json')
const keys = { tac: [{ keyVersion: 1, suite: '3des' as const, master: hex(masterTacKey) }] }
writeFileSync(keyFile, sealKeys(keys, 'test', new Uint8Array(16), new Uint8Array(12)))

t.test('another thread takes the place of one that died', async t => {
  const pool = await startTacPool({ workers: 1, keyFile, passphrase: 'test' })
  t.teardown(() => pool.close())
  const ask = () => pool.verify(new Uint8Array(itemLength), 'city-first')
  t.strictSame([...await ask()], [0], 'no such TAC')
  const endless = { length: itemLength * 2 ** 40 } as Uint8Array
  await t.rejects(pool.verify(endless, 'city-first'), 'more than a thread can hold kills it')
  t.strictSame([...await ask()], [0])
})

t.test('what is asked when the pool closes is not left without an answer', async t => {
  const pool = await startTacPool({ workers: 1, keyFile, passphrase: 'test' })
  const asked = pool.verify(new Uint8Array(1_000 * itemLength), 'city-first')
  await pool.close()
  t.equal((await asked).length, 1_000)
  await t.rejects(pool.verify(new Uint8Array(0), 'city-first'), /have ended/)
})

t.test('a key file that does not open', async t => {
  await t.rejects(startTacPool({ workers: 1, keyFile, passphrase: 'wrong' }), /does not open/)
})
