// npm run journal -- DATE [kind] [postgres://…]: the books of a clearing date as an hledger journal; `kind`: sums by kind of
// transfer.
import { runLedger } from './ledger-command.ts'

process.exitCode = await runLedger('journal', process.argv.slice(2))
