// npm run verify [-- postgres://…] [-- --since SIZE]: rebuilds the books from their transfers; 1 where they differ.
import { runLedger } from './ledger-command.ts'

process.exitCode = await runLedger('verify', process.argv.slice(2))
