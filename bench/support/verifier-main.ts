// A process of ours that verifies TACs and then stands still, to be looked into. Its items come as a file;
// nobody tells it a key.
import { readFileSync } from 'node:fs'
import { announceReady } from '../../runtime/supervise.ts'
import { startTacPool } from '../../ledger/tac/tac-pool.ts'

const [keyFile = '', passphrase = '', items = ''] = process.argv.slice(2)
const pool = await startTacPool({ workers: 1, keyFile, passphrase })
const valid = await pool.verify(new Uint8Array(readFileSync(items)), 'city-first')
announceReady({ valid: valid.filter(one => one === 1).length }, () => pool.close())
