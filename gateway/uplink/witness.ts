// Keeps the signed heads that the ledger sends, so that it cannot rewrite its past unnoticed: an append-only
// file that an auditor collects. Checks what needs no key: a tree never changes at the same size and never
// shrinks, and now and then that the newest head grew out of one that was seen before. It refuses to know
// whether an older past is a restored backup or a forgery: people do.
import { appendFileSync, existsSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs'
import { Value } from 'typebox/value'
import { HttpAnswerError, type HttpClient } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import type { SignedHead } from '../../schemas/api.ts'
import { verifyConsistency } from '../../schemas/merkle.ts'
import { Consistency } from '../../schemas/proof.ts'

export type Witness = {
  see (head: SignedHead): void
  latest (): SignedHead | null
  /** Heads that contradict an earlier one. */
  contradictions (): number
  /** Has the ledger prove that the latest head grew out of the last one that was proven. */
  check (http: Pick<HttpClient, 'get'>): Promise<void>
}

/** The file before is kept as PATH.old; together they hold some hundred thousand heads. */
const fileBytesMax = 16 * 1024 * 1024

export function headWitness (path: string, log: Log): Witness {
  const kept = keptHeads(path)
  const keys = new Set(kept.map(head => head.keyId))
  let latest = kept.reduce<SignedHead | null>((last, head) => outgrows(head, last) ? head : last, null)
  /** Everything before was proven to lead here; at the start that is what the file says. */
  let proven = latest
  let contradictions = 0

  function contradict (earlier: SignedHead, head: SignedHead, what: string): void {
    contradictions += 1
    log.error({ alarm: 'head_contradiction', earlier, head }, what)
  }

  function see (head: SignedHead): void {
    if (latest !== null && head.size === latest.size && head.root === latest.root) return
    // A key never seen before, under less than was seen: the ledger was restored and says so. Told once.
    const isRestored = latest !== null && head.size <= latest.size && !keys.has(head.keyId)
    if (latest !== null && head.size <= latest.size) {
      contradict(latest, head, isRestored
        ? 'the ledger goes on from an older past, under a new key'
        : 'the ledger shows another past than before')
    }
    if (existsSync(path) && statSync(path).size > fileBytesMax) renameSync(path, `${path}.old`)
    appendFileSync(path, JSON.stringify(head) + '\n', { mode: 0o600 })
    keys.add(head.keyId)
    if (isRestored || outgrows(head, latest)) latest = head
    if (isRestored || proven === null) proven = head
  }

  async function check (http: Pick<HttpClient, 'get'>): Promise<void> {
    const [first, second] = [proven, latest]
    if (first === null || second === null || first.size < 1 || second.size <= first.size) return
    const steps = await askPath(http, first.size, second.size)
    const [older, newer] = [first, second].map(({ root }) => bytes(root)) as [Buffer, Buffer]
    if (steps !== null && verifyConsistency(first.size, second.size, steps, older, newer)) proven = second
    else contradict(first, second, 'the ledger cannot prove that its past is the one it showed')
  }

  return { see, latest: () => latest, contradictions: () => contradictions, check }
}

const outgrows = (head: SignedHead, last: SignedHead | null): boolean =>
  last === null || head.size > last.size

/** Null where the ledger does not know a head that it has shown. */
async function askPath (
  http: Pick<HttpClient, 'get'>, first: number, second: number
): Promise<Buffer[] | null> {
  try {
    const answer = await http.get(`/v1/consistency?first=${first}&second=${second}`)
    return Value.Parse(Consistency, answer).path.map(bytes)
  } catch (error) {
    if (error instanceof HttpAnswerError && error.status === 404) return null
    throw error
  }
}

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

/** A last line that power cut short is no head, and is taken away before another follows it. */
function keptHeads (path: string): SignedHead[] {
  if (!existsSync(path)) return []
  truncateSync(path, readFileSync(path).lastIndexOf('\n') + 1)
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map(line => JSON.parse(line) as SignedHead)
}
