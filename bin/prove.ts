// Proofs as JSON, for bin/verify-proof.ts:
//   npm run prove -- ID                       inclusion of a transfer (its number) or a record (CARD/COUNTER)
//   npm run prove -- --consistency OLD [NEW]  one signed head, named by its size, grew into another
//   npm run prove -- --audit [ROWS]           the audit log after so many rows, up to a signed head
// All take a postgres://… address as well.
import { runLedger } from './ledger-command.ts'

process.exitCode = await runLedger('prove', process.argv.slice(2))
