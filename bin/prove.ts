// npm run prove -- ID [postgres://…]: the inclusion proof of a transfer (its number) or a record (CARD/COUNTER), as
// JSON for bin/verify-proof.ts.
import { runLedger } from './ledger-command.ts'

process.exitCode = await runLedger('prove', process.argv.slice(2))
