// Blacklist, tariffs and the list of cities at the edge: fetched, checked, kept on disk, applied by the
// gateway's clock, acknowledged for each terminal. Everything goes on with what is kept while the ledger is
// away. It refuses to know who taps.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import type { Clock } from '../../runtime/clock.ts'
import { HttpAnswerError, type HttpClient } from '../../runtime/http-client.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Log } from '../../runtime/log.ts'
import { BlacklistEntry, BlacklistReply, type ParameterAcknowledgement } from '../../schemas/api.ts'
import { CityList, staysOf } from '../../schemas/city.ts'
import { CodeKeys } from '../../schemas/phone-code.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import { checkDocument } from '../../schemas/tariff/check-document.ts'
import type { TariffDocument } from '../../schemas/tariff/document.ts'
import { faresOf, versionAt, type Fares } from '../../schemas/tariff/fares.ts'
import { Tariff, tariffAt } from '../../schemas/tariff/tariff.ts'
import { terminalKey, type Terminal } from '../spool/state.ts'
import { keepJson, readKept } from './keep.ts'

export type Parameters = {
  /** The tariff valid now, by the gateway's clock, or null where none is held. */
  tariff (): Tariff | null
  /** The tariff documents that are held, ready for pricing. */
  fares (): Fares
  isBlacklisted (card: CardRef): boolean
  /** Whether the list of cities takes cards of this issuer now; null where no list is held. */
  isListedCity (issuer: string): boolean | null
  /** Public keys (PEM) that codes of phones are signed with, by key id; none before they were fetched. */
  codeKeys (): ReadonlyMap<string, string>
  /** Null before the first list was applied. */
  blacklistVersion (): number | null
  /** The list that is held, card by card. */
  blacklist (): { readonly version: number, readonly cards: readonly CardRef[] } | null
  /** Fetches, applies and acknowledges once. Throws when the ledger cannot be asked. */
  refresh (): Promise<void>
  status (): ParametersStatus
}

export type ParametersStatus = {
  readonly blacklist: { version: number, cards: number, appliedAtMs: number } | null
  readonly tariff: { version: number, from: string } | null
  readonly cities: { version: number, appliedAtMs: number } | null
  readonly future: readonly number[]
  readonly acknowledged: Readonly<Record<string, number>>
}

export type ParametersOptions = {
  dir: string
  /** Whose application is acknowledged. */
  terminals: readonly Terminal[]
  http: Pick<HttpClient, 'get' | 'post'>
  clock: Clock
  log: Log
}

type Kind = ParameterAcknowledgement['kind']
const closed = { additionalProperties: false } as const
const KeptBlacklist = Type.Object({
  version: Type.Integer(), digest: Type.String(), appliedAtMs: Type.Integer(),
  entries: Type.Array(BlacklistEntry)
}, closed)
const KeptTariffs = Type.Array(Type.Object({ tariff: Tariff, heldSinceMs: Type.Integer() }, closed))
const KeptFares = Type.Array(Type.Object({
  document: Type.Unsafe<TariffDocument>(Type.Object({})), heldSinceMs: Type.Integer()
}, closed))
type KeptBlacklist = Static<typeof KeptBlacklist>
const KeptCities = Type.Object({ list: CityList, appliedAtMs: Type.Integer() }, closed)

/** Reads what is kept; fetches nothing yet. Throws when a kept file is not what it should be. */
export function openParameters ({ dir, terminals, http, clock, log }: ParametersOptions): Parameters {
  const blacklistPath = join(dir, 'blacklist.json')
  const tariffsPath = join(dir, 'tariffs.json')
  const citiesPath = join(dir, 'cities.json')
  const faresPath = join(dir, 'fares.json')
  const codeKeysPath = join(dir, 'code-keys.json')
  let blacklist = kept(blacklistPath, KeptBlacklist)
  let listed = keysOf(blacklist?.entries ?? [])
  let tariffs = kept(tariffsPath, KeptTariffs) ?? []
  let cities = kept(citiesPath, KeptCities)
  let codeKeys = kept(codeKeysPath, CodeKeys) ?? []
  let documents = kept(faresPath, KeptFares) ?? []
  let fares = faresIn(documents.map(one => one.document), faresPath, 'move it away, they are fetched again')
  const acknowledged = new Map<string, number>()

  const current = () => tariffAt(tariffs.map(one => one.tariff), clock.now())

  async function refresh (): Promise<void> {
    await fetchBlacklist()
    await fetchTariffs()
    await fetchFares()
    await fetchCities()
    await fetchCodeKeys()
    await acknowledge()
  }

  /**
   * An increment that does not fit, or leaves another list than the centre has, is answered by the full list.
   */
  async function fetchBlacklist (): Promise<void> {
    const have = blacklist?.version
    const first = replyOf(await http.get(have === undefined ? '/v1/blacklist' : `/v1/blacklist?have=${have}`))
    const next = appliedTo(blacklist, first, clock.now()) ?? appliedTo(null, await fullList(), clock.now())
    if (next === null) throw new Error('the full blacklist does not match its own digest; the old one stays')
    if (next.version === have && next.digest === blacklist?.digest) return
    keepJson(blacklistPath, next)
    blacklist = next
    listed = keysOf(next.entries)
    log.info({ version: next.version, cards: listed.size }, 'blacklist applied')
  }

  const fullList = async () => replyOf(await http.get('/v1/blacklist'))

  async function fetchTariffs (): Promise<void> {
    const reply = await http.get('/v1/tariffs')
    if (!Check(Type.Array(Tariff), reply)) {
      throw new Error('GET /v1/tariffs: not a list of tariffs; the old ones stay')
    }
    const heldSince = new Map(tariffs.map(one => [JSON.stringify(one.tariff), one.heldSinceMs]))
    const next = reply.map(tariff =>
      ({ tariff, heldSinceMs: heldSince.get(JSON.stringify(tariff)) ?? clock.now() }))
    if (JSON.stringify(next) === JSON.stringify(tariffs)) return
    keepJson(tariffsPath, next)
    tariffs = next
    log.info({ versions: next.map(one => one.tariff.version) }, 'tariffs held')
  }

  async function fetchFares (): Promise<void> {
    const path = '/v1/services/transit/tariffs'
    const reply = await http.get(path).catch(orOfBefore)
    if (!Array.isArray(reply)) throw new Error(`GET ${path}: not a list of documents; the old ones stay`)
    const stays = documents.length === 0 ? 'none is held' : 'the old documents stay'
    const next = faresIn(reply, `GET ${path}`, stays)
    const heldSince = new Map(documents.map(one => [JSON.stringify(one.document), one.heldSinceMs]))
    const held = next.map(({ document }) =>
      ({ document, heldSinceMs: heldSince.get(JSON.stringify(document)) ?? clock.now() }))
    if (JSON.stringify(held) === JSON.stringify(documents)) return
    keepJson(faresPath, held)
    documents = held
    fares = next
    log.info({ versions: next.map(({ document }) => document.version) }, 'tariff documents held')
  }

  /** Version 0: none was published yet. */
  async function fetchCities (): Promise<void> {
    const list = await http.get('/v1/cities')
    if (!Check(CityList, list)) throw new Error('GET /v1/cities: not a list of cities; the old one stays')
    if (list.version === 0 || list.version === cities?.list.version) return
    const next = { list, appliedAtMs: clock.now() }
    keepJson(citiesPath, next)
    cities = next
    log.info({ version: list.version, cities: list.cities.length }, 'list of cities applied')
  }

  async function fetchCodeKeys (): Promise<void> {
    const next = await http.get('/v1/code-keys').catch(orOfBefore)
    if (!Check(CodeKeys, next)) throw new Error('GET /v1/code-keys: not a list of keys; the old ones stay')
    if (JSON.stringify(next) === JSON.stringify(codeKeys)) return
    keepJson(codeKeysPath, next)
    codeKeys = next
    log.info({ keys: next.map(({ keyId }) => keyId) }, 'keys of codes held')
  }

  /**
   * A version is acknowledged when it is applied: a tariff on the instant it becomes valid, not when it
   * arrives. A terminal that the ledger does not take keeps no other from being told.
   */
  async function acknowledge (): Promise<void> {
    const tariff = current()
    const heldSinceMs = tariffs.find(one => one.tariff === tariff)?.heldSinceMs ?? 0
    const refused: HttpAnswerError[] = []
    for (const terminal of terminals) {
      const told = async (kind: Kind, version: number, appliedAtMs: number): Promise<void> => {
        await tell(terminal, kind, version, appliedAtMs).catch((error: unknown) => {
          if (!(error instanceof HttpAnswerError)) throw error
          refused.push(error)
        })
      }
      if (blacklist !== null) await told('blacklist', blacklist.version, blacklist.appliedAtMs)
      if (cities !== null) await told('cities', cities.list.version, cities.appliedAtMs)
      const document = documentOf(terminal)
      if (document !== null) await told('tariff', document.version, document.appliedAtMs)
      else if (tariff !== null) {
        await told('tariff', tariff.version, Math.max(Date.parse(tariff.from), heldSinceMs))
      }
    }
    const [first] = refused
    if (first !== undefined) throw first
  }

  /** The document that counts, where it speaks of this terminal's operator. */
  function documentOf ({ operator }: Terminal): { version: number, appliedAtMs: number } | null {
    const counting = versionAt(fares, clock.now())
    if (counting === null) return null
    const { fromMs, document: { version, services } } = counting
    if (!services.some(({ operators }) => operators.includes(operator))) return null
    const heldSinceMs = documents.find(one => one.document.version === version)?.heldSinceMs ?? 0
    return { version, appliedAtMs: Math.max(fromMs, heldSinceMs) }
  }

  async function tell (of: Terminal, kind: Kind, version: number, appliedAtMs: number): Promise<void> {
    const what = `${terminalKey(of)} ${kind}`
    if (acknowledged.get(what) === version) return
    const { operator, terminal } = of
    const body: ParameterAcknowledgement =
      { operator, terminal, kind, version, appliedAt: formatIso(appliedAtMs) }
    await http.post('/v1/parameters/applied', body)
    acknowledged.set(what, version)
  }

  return {
    tariff: current,
    fares: () => fares,
    isBlacklisted: card => listed.has(cardKey(card)),
    isListedCity: issuer => cities === null ? null : takes(cities.list, issuer, clock.now()),
    codeKeys: () => new Map(codeKeys.map(({ keyId, publicKey }) => [keyId, publicKey])),
    blacklistVersion: () => blacklist?.version ?? null,
    blacklist: () => blacklist === null
      ? null
      : { version: blacklist.version, cards: blacklist.entries.map(entry => entry.card) },
    refresh,
    status: () => {
      const tariff = current()
      const later = tariffs.filter(one => Date.parse(one.tariff.from) > clock.now())
      return {
        blacklist: blacklist === null
          ? null
          : { version: blacklist.version, cards: listed.size, appliedAtMs: blacklist.appliedAtMs },
        tariff: tariff === null ? null : { version: tariff.version, from: tariff.from },
        cities: cities === null ? null : { version: cities.list.version, appliedAtMs: cities.appliedAtMs },
        future: later.map(one => one.tariff.version),
        acknowledged: Object.fromEntries(acknowledged)
      }
    }
  }
}

/** A ledger of the version before has no such door: it has nothing of the kind. */
function orOfBefore (error: unknown): unknown {
  if (error instanceof HttpAnswerError && error.status === 404) return []
  throw error
}

/** The list after a reply, or null where it does not build on ours or its digest disagrees. */
function appliedTo (have: KeptBlacklist | null, reply: BlacklistReply, atMs: number): KeptBlacklist | null {
  if (reply.from !== null && reply.from !== have?.version) return null
  const entries = new Map(reply.from === null ? [] : have?.entries.map(entry => [cardKey(entry.card), entry]))
  for (const card of reply.remove) entries.delete(cardKey(card))
  for (const entry of reply.add) entries.set(cardKey(entry.card), entry)
  const digest = digestOf([...entries.keys()])
  if (digest !== reply.digest) return null
  const appliedAtMs = have?.version === reply.to && have.digest === digest ? have.appliedAtMs : atMs
  return { version: reply.to, digest, appliedAtMs, entries: [...entries.values()] }
}

/** From the instant a city joins until it leaves. */
const takes = ({ cities }: CityList, issuer: string, atMs: number): boolean =>
  staysOf(cities, issuer).some(({ addedAt, deletedAt }) =>
    Date.parse(addedAt) <= atMs && (deletedAt === null || atMs < Date.parse(deletedAt)))

const digestOf = (keys: string[]): string =>
  createHash('sha256').update(keys.sort().join('\n')).digest('hex').toUpperCase()

const keysOf = (entries: readonly BlacklistEntry[]): Set<string> =>
  new Set(entries.map(entry => cardKey(entry.card)))

function replyOf (body: unknown): BlacklistReply {
  if (!Check(BlacklistReply, body)) throw new Error('GET /v1/blacklist: not a blacklist; the old one stays')
  return body
}

/** Throws where one of them is no document; the message ends with what follows from that. */
function faresIn (said: readonly unknown[], where: string, otherwise: string): Fares {
  return faresOf(said.map(one => {
    const checked = checkDocument(one)
    if (checked.ok) return checked.document
    const [first] = checked.problems
    throw new Error(`${where}: ${first?.where ?? ''} ${first?.text ?? ''}; ${otherwise}`)
  }))
}

function kept<
  T extends typeof KeptBlacklist | typeof KeptTariffs | typeof KeptCities | typeof KeptFares | typeof CodeKeys
> (
  path: string, schema: T
): Static<T> | null {
  const content = readKept(path)
  if (content === null) return null
  if (!Check(schema, content)) throw new Error(`${path} cannot be read; move it away, it is fetched again`)
  return content as Static<T>
}
