// The door for clearing files: consumption files in, SS, QS and NS out.
import { inflateSync } from 'node:zlib'
import { Type } from 'typebox'
import { FileReply, LocalDate, type FileReply as Reply } from '../../schemas/api.ts'
import { writeNames, writeSummaries } from '../../schemas/clearing-file/answers.ts'
import { readConsumptionFile, type ConsumptionFile } from '../../schemas/clearing-file/consumption.ts'
import { sourceName } from '../../schemas/clearing-file/file-name.ts'
import { limits } from '../../schemas/limits.ts'
import { fileDigest, fileLines, refusalsOf, replyOf } from '../intake/file.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { findDelivery } from '../store/deliveries.ts'
import type { PartyRow, Snapshot } from '../store/registry.ts'
import { readRaw, viewFiles, viewSummary } from '../store/views.ts'
import { submit } from '../submit.ts'
import type { App } from './app.ts'
import { callerIn, type Capacity } from './auth.ts'

const Name = Type.Object({ name: Type.String({ maxLength: 64 }) })
const OfDay = Type.Object({ party: Type.String({ maxLength: 15 }), date: LocalDate })
const plainText = { content: { 'text/plain': { schema: Type.String() } } }
const allow: readonly Capacity[] = ['gateway', 'operator', 'auditor', 'staff']

export const fileRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.put('/v1/files/:name', {
    config: { allow: ['gateway', 'operator'] },
    bodyLimit: limits.fileBytesMax,
    schema: { params: Name, response: { 200: FileReply } }
  }, async request => {
    const file = read(request.params.name, request.body)
    const operator = operatorOf(await ledger.registry(), file)
    requireOwn(callerIn(request).party, operator)
    return await take(ledger, request.params.name, file, operator, request.body as Buffer)
  })

  app.get('/v1/files/:name', {
    config: { allow }, schema: { params: Name, response: { 200: FileReply } }
  }, async request => (await stored(ledger, request.params.name, callerIn(request).party)).reply)

  app.get('/v1/files/:name/SS', {
    config: { allow }, schema: { params: Name, response: { 200: plainText } }
  }, async (request, reply) => {
    const { file, reply: answer } = await stored(ledger, request.params.name, callerIn(request).party)
    return await reply.type('text/plain; charset=latin1').send(refusalsOf(file, request.params.name, answer))
  })

  app.get('/v1/operators/:party/QS/:date', {
    config: { allow }, schema: { params: OfDay, response: { 200: plainText } }
  },
  async (request, reply) => {
    const { party, date } = request.params
    const operator = merchantOf(await ledger.registry(), party)
    requireOwn(callerIn(request).party, operator)
    const summary = await viewSummary(ledger.db, party, operator.merchant, date)
    return await reply.type('text/plain; charset=latin1').send(writeSummaries([summary]))
  })

  app.get('/v1/operators/:party/NS/:date', {
    config: { allow }, schema: { params: OfDay, response: { 200: plainText } }
  },
  async (request, reply) => {
    const { party, date } = request.params
    const operator = merchantOf(await ledger.registry(), party)
    requireOwn(callerIn(request).party, operator)
    const files = await viewFiles(ledger.db, party, date)
    const names = files.map(name => ({ source: sourceName(name), date }))
    return await reply.type('text/plain; charset=latin1').send(writeNames(operator.industry ?? '00', names))
  })
}

function read (name: string, body: unknown): ConsumptionFile {
  if (!Buffer.isBuffer(body)) {
    throw new Refusal('unsupported_media_type', 'send the file as application/octet-stream')
  }
  const file = readConsumptionFile(name, body)
  if (!file.ok) throw new Refusal(file.reason, file.detail, name)
  return file
}

async function take (
  ledger: Ledger, name: string, file: ConsumptionFile, operator: PartyRow, raw: Buffer
): Promise<Reply> {
  const lines = fileLines(file, operator)
  const submitted = await submit(ledger, {
    kind: 'file', source: operator.code, externalId: name, raw, digest: fileDigest(file), lines,
    extra: (results, date) => replyOf(name, lines, results, date, operator)
  })
  const reply = submitted.extra as Reply
  return submitted.replayed ? { ...reply, status: 'already_processed' } : reply
}

/** An operator's client sees its own files only; a gateway or staff see all. */
function requireOwn (callerParty: string | null, operator: PartyRow): void {
  if (callerParty !== null && callerParty !== operator.code) {
    throw new Refusal('forbidden', `this is a file of ${operator.code}`)
  }
}

function operatorOf (snapshot: Snapshot, file: ConsumptionFile): PartyRow {
  const operator = [...snapshot.parties.values()].find(party => party.merchant === file.name.merchant)
  if (operator === undefined) {
    throw new Refusal('file_name_invalid',
    `no operator has the merchant number ${file.name.merchant}`)
  }
  return operator
}

function merchantOf (snapshot: Snapshot, code: string): PartyRow & { merchant: string } {
  const operator = snapshot.parties.get(code)
  if (operator === undefined || operator.merchant === null) {
    throw new Refusal('not_found', `${code} is not an operator with a merchant number`)
  }
  return { ...operator, merchant: operator.merchant }
}

async function stored (ledger: Ledger, name: string, callerParty: string | null) {
  const merchant = name.slice(12, 27)
  const operator = [...(await ledger.registry()).parties.values()].find(party => party.merchant === merchant)
  const source = operator?.code ?? ''
  const known = await findDelivery(ledger.db, { kind: 'file', source, externalId: name })
  const raw = await readRaw(ledger.db, source, name)
  if (operator === undefined || known === null || raw === null) {
    throw new Refusal('not_found',
    `no file ${name} was processed`)
  }
  requireOwn(callerParty, operator)
  return { file: read(name, inflateSync(raw)), reply: known.answer.extra as Reply }
}
