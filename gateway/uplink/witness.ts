// Keeps the signed heads that the ledger sends, so that it cannot rewrite its past unnoticed: an append-only
// file that an auditor collects. Checks what needs no key: neither the tree nor the audit log changes at the
// same size or shrinks, and now and then that the newest head grew out of one that was seen before. It
// refuses to know whether an older past is a restored backup or a forgery: people do.
import { appendFileSync, existsSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs'
import { Value } from 'typebox/value'
import { HttpAnswerError, type HttpClient } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import { SignedHead } from '../../schemas/api.ts'
import { verifyConsistency } from '../../schemas/merkle.ts'
import { Consistency } from '../../schemas/proof.ts'

export type Witness = {
  see (head: SignedHead): void
  /** Sees the head that the ledger shows now: an idle gateway gets none with answers. */
  look (http: Pick<HttpClient, 'get'>): Promise<void>
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
  /** Older than one that was seen: of two ledgers one may be a second behind. Proven like any other. */
  const late = new Map<number, SignedHead>()
  let contradictions = 0

  function contradict (earlier: SignedHead, head: SignedHead, what: string): void {
    contradictions += 1
    log.error({ alarm: 'head_contradiction', earlier, head }, what)
  }

  function see (head: SignedHead): void {
    const before = latest
    if (before !== null && isSame(head, before)) return
    if (before !== null && isLate(head, before) && keys.has(head.keyId)) return proveLater(head)
    // A key never seen before, under less than was seen: the ledger was restored and says so. Told once.
    const isDenied = before !== null && !outgrows(head, before)
    const isRestored = isDenied && !keys.has(head.keyId)
    if (isDenied) {
      contradict(before, head, isRestored
        ? 'the ledger goes on from an older past, under a new key'
        : anotherPast)
    }
    // Under a new key the tree may have outgrown the old one already: what was seen last must be in it, too.
    if (before !== null && !isDenied && before !== proven && !keys.has(head.keyId)) proveLater(before)
    keep(head)
    if (isRestored || !isDenied) latest = head
    if (isRestored || proven === null) proven = head
    if (isRestored) late.clear()
  }

  function proveLater (head: SignedHead): void {
    const other = late.get(head.size)
    if (other !== undefined && other.root !== head.root) contradict(other, head, anotherPast)
    else if (late.size < lateMax) late.set(head.size, head)
  }

  function keep (head: SignedHead): void {
    if (existsSync(path) && statSync(path).size > fileBytesMax) renameSync(path, `${path}.old`)
    appendFileSync(path, JSON.stringify(head) + '\n', { mode: 0o600 })
    keys.add(head.keyId)
  }

  async function look (http: Pick<HttpClient, 'get'>): Promise<void> {
    see(Value.Parse(SignedHead, await http.get('/v1/head')))
  }

  async function check (http: Pick<HttpClient, 'get'>): Promise<void> {
    const newest = latest
    if (newest === null) return
    const denied: SignedHead[] = []
    for (const head of late.values()) {
      if (!await leads(http, head, newest)) {
        denied.push(head)
        keep(head)
      }
      late.delete(head.size)
    }
    if (proven !== null) {
      const isDenied = !await leads(http, proven, newest)
      if (isDenied) denied.push(proven)
      // Under another key the ledger was restored: one alarm, then the tree it goes on with is watched.
      if (!isDenied || proven.keyId !== newest.keyId) proven = newest
    }
    const [earlier] = denied
    if (earlier !== undefined) contradict(earlier, newest, 'the ledger cannot prove its past')
  }

  return { see, look, latest: () => latest, contradictions: () => contradictions, check }
}

const anotherPast = 'the ledger shows another past than before'

const outgrows = (head: SignedHead, last: SignedHead | null): boolean =>
  last === null || (growsTree(head, last) && growsAudit(head, last))

const growsTree = (head: SignedHead, last: SignedHead): boolean =>
  head.size > last.size || (head.size === last.size && head.root === last.root)

/** A process of the version before says nothing of the audit log. */
const growsAudit = ({ audit: now }: SignedHead, { audit: before }: SignedHead): boolean =>
  now === undefined || before === undefined || now.rows > before.rows ||
  (now.rows === before.rows && now.hash === before.hash)

/** Signed before the last one that was seen, and no more than it. */
const isLate = (head: SignedHead, last: SignedHead): boolean =>
  head.size < last.size && Date.parse(head.at) < Date.parse(last.at) &&
  (head.audit === undefined || growsAudit(last, head))
const lateMax = 100

const isSame = (head: SignedHead, last: SignedHead): boolean =>
  head.size === last.size && head.root === last.root &&
  (head.audit === undefined || (head.audit.rows === last.audit?.rows && head.audit.hash === last.audit.hash))

/** Whether the ledger can prove that one head grew into another. */
async function leads (
  http: Pick<HttpClient, 'get'>, first: SignedHead, second: SignedHead
): Promise<boolean> {
  if (first.size < 1 || second.size <= first.size) return true
  const steps = await askPath(http, first.size, second.size)
  const [older, newer] = [first, second].map(({ root }) => bytes(root)) as [Buffer, Buffer]
  return steps !== null && verifyConsistency(first.size, second.size, steps, older, newer)
}

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
