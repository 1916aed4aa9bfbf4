// npm run archive -- FOLDER [DATE] [postgres://…]: statements and approvals of clearing dates as folders with
// digests, for bin/verify-archive.ts.
import { resolve } from 'node:path'
import { runLedger } from './ledger-command.ts'

const [folder = '', ...rest] = process.argv.slice(2)
process.exitCode = await runLedger('archive', [folder === '' ? '' : resolve(folder), ...rest])
