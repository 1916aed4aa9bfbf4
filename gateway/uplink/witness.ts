// Keeps the signed heads that the ledger sends, so that it cannot rewrite its past unnoticed: an append-only
// file that an auditor collects. Checks only what needs no key: a tree grows, and never changes at the same
// size.
import { appendFileSync, existsSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs'
import type { Log } from '../../runtime/log.ts'
import type { SignedHead } from '../../schemas/api.ts'

export type Witness = {
  see (head: SignedHead): void
  latest (): SignedHead | null
  /** Heads that contradict an earlier one. */
  contradictions (): number
}

/** The file before is kept as PATH.old; together they hold some hundred thousand heads. */
const fileBytesMax = 16 * 1024 * 1024

export function headWitness (path: string, log: Log): Witness {
  let latest = lastHead(path)
  let contradictions = 0

  function see (head: SignedHead): void {
    if (latest !== null && head.size === latest.size && head.root === latest.root) return
    if (latest !== null && head.size <= latest.size) {
      contradictions += 1
      log.error(
        { alarm: 'head_contradiction', earlier: latest, head }, 'the ledger shows another past than before'
      )
    }
    if (existsSync(path) && statSync(path).size > fileBytesMax) renameSync(path, `${path}.old`)
    appendFileSync(path, JSON.stringify(head) + '\n', { mode: 0o600 })
    if (latest === null || head.size > latest.size) latest = head
  }
  return { see, latest: () => latest, contradictions: () => contradictions }
}

/** A last line that power cut short is no head, and is taken away before another follows it. */
function lastHead (path: string): SignedHead | null {
  if (!existsSync(path)) return null
  truncateSync(path, readFileSync(path).lastIndexOf('\n') + 1)
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map(line => JSON.parse(line) as SignedHead)
    .reduce<SignedHead | null>((last, head) => last === null || head.size > last.size ? head : last, null)
}
