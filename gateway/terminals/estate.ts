// Which terminals are enrolled here: fetched from the ledger, checked, kept on disk, so that it holds while
// the ledger is away. It refuses to know what terminals do.
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import type { HttpClient } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import {
  EnrolledTerminal, estateDigest, estateLine, EstateReply, terminalKey
} from '../../schemas/terminals.ts'
import { groupBy } from '../../runtime/collections.ts'
import { keepJson, readKept } from '../uplink/keep.ts'

export type Estate = {
  /** Of the list that is held; null before the first one. */
  version (): number | null
  /** All operators' terminals of that number. */
  named (terminal: string): readonly EnrolledTerminal[]
  all (): readonly EnrolledTerminal[]
  /** Keys of the terminals for which a certificate was enrolled, by its fingerprint. */
  holders (fingerprint: string): readonly string[]
  /** Fetches what is lacking. Throws when the ledger cannot be asked; the old list stays. */
  refresh (): Promise<void>
}

const KeptEstate = Type.Object({
  version: Type.Integer(), digest: Type.String(), terminals: Type.Array(EnrolledTerminal)
}, { additionalProperties: false })
type KeptEstate = Static<typeof KeptEstate>

/** Reads what is kept; fetches nothing yet. Throws when the kept file is not what it should be. */
export function openEstate (
  { dir, http, log }: { dir: string, http: Pick<HttpClient, 'get'>, log: Log }
): Estate {
  const path = join(dir, 'terminals.json')
  let held = keptIn(path)
  let byNumber = groupBy(held?.terminals ?? [], one => one.terminal)
  let byCertificate = holdersIn(held?.terminals ?? [])

  /** An increment that does not fit, or leaves another list than the centre has: the full one instead. */
  async function refresh (): Promise<void> {
    const have = held?.version
    const first = await fetch(have === undefined ? whole : `${whole}?have=${have}`)
    const next = estateAfter(held, first) ?? estateAfter(null, await fetch(whole))
    if (next === null) throw new Error('the list of terminals does not match its digest; the old one stays')
    if (next.version === have && next.digest === held?.digest) return
    keepJson(path, next)
    held = next
    byNumber = groupBy(next.terminals, one => one.terminal)
    byCertificate = holdersIn(next.terminals)
    log.info({ version: next.version, terminals: next.terminals.length }, 'list of terminals held')
  }

  async function fetch (url: string): Promise<EstateReply> {
    const reply = await http.get(url)
    if (!Check(EstateReply, reply)) throw new Error(`GET ${url}: not a list of terminals; the old one stays`)
    return reply
  }

  return {
    version: () => held?.version ?? null,
    named: terminal => byNumber.get(terminal) ?? [],
    all: () => held?.terminals ?? [],
    holders: fingerprint => byCertificate.get(fingerprint) ?? [],
    refresh
  }
}

const whole = '/v1/terminals/estate'

/** The list after a reply, or null where it does not build on ours or its digest disagrees. */
export function estateAfter (have: KeptEstate | null, reply: EstateReply): KeptEstate | null {
  if (reply.from !== null && reply.from !== have?.version) return null
  const before = reply.from === null ? [] : have?.terminals ?? []
  const terminals = new Map(before.map(one => [terminalKey(one), one]))
  for (const ref of reply.remove) terminals.delete(terminalKey(ref))
  for (const one of reply.add) terminals.set(terminalKey(one), one)
  const all = [...terminals.values()]
  if (estateDigest(all.map(estateLine)) !== reply.digest) return null
  return { version: reply.to, digest: reply.digest, terminals: all }
}

function holdersIn (terminals: readonly EnrolledTerminal[]): ReadonlyMap<string, readonly string[]> {
  const pairs = terminals.flatMap(one =>
    (one.certificates ?? []).map(fingerprint => ({ fingerprint, terminal: terminalKey(one) })))
  return new Map([...groupBy(pairs, ({ fingerprint }) => fingerprint)]
    .map(([fingerprint, own]) => [fingerprint, own.map(({ terminal }) => terminal)]))
}

function keptIn (path: string): KeptEstate | null {
  const content = readKept(path)
  if (content === null) return null
  if (Check(KeptEstate, content)) return content
  throw new Error(`${path} cannot be read; move it away, it is fetched again`)
}
