// The door for clearing files: consumption files in, SS, QS, NS and the blacklist out. Bytes come in and go
// out as streams: a file of a million records stands nowhere whole.
import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { FileReply, LocalDate } from '../../schemas/api.ts'
import { writeNames, writeSummaries } from '../../schemas/clearing-file/answers.ts'
import { parseFileName, sourceName } from '../../schemas/clearing-file/file-name.ts'
import { limits } from '../../schemas/limits.ts'
import { adjustmentBytes, refusalBytes, replyTexts } from '../intake/file-answers.ts'
import { stageFile } from '../intake/stage.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { findFile, type FileRow } from '../store/files.ts'
import type { PartyRow, Snapshot } from '../store/registry.ts'
import { viewFiles, viewSummary } from '../store/summaries.ts'
import { isWhole, takeFile } from '../intake/take-file.ts'
import type { App } from './app.ts'
import { callerIn, requireSelf, type Caller, type Capacity } from './auth.ts'
import { centreOf } from './national.ts'

const Name = Type.Object({ name: Type.String({ maxLength: 64 }) })
const OfDay = Type.Object({ party: Type.String({ maxLength: 15 }), date: LocalDate })
const plainText = { content: { 'text/plain': { schema: Type.String() } } }
const sending: readonly Capacity[] = ['gateway', 'operator', 'centre']
const allow: readonly Capacity[] = [...sending, 'auditor', 'staff']
const latin1 = 'text/plain; charset=latin1'
const json = 'application/json; charset=utf-8'

export const fileRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  // A file is read as it comes in; everywhere else a body of bytes is small and read whole.
  app.removeContentTypeParser('application/octet-stream')
  app.addContentTypeParser('application/octet-stream', async (_request: unknown, body: Readable) => body)

  app.put('/v1/files/:name', {
    config: { allow: sending },
    bodyLimit: limits.fileBytesMax,
    schema: { params: Name, response: { 200: FileReply } }
  }, async (request, reply) => {
    const { name } = request.params
    const operator = operatorOf(await ledger.registry(), name)
    requireSelf(await senderIn(ledger, callerIn(request)), operator.code)
    if (!(request.body instanceof Readable)) {
      throw new Refusal('unsupported_media_type', 'send the file as application/octet-stream')
    }
    const staged = await stageFile(name, request.body)
    const { file, replayed } = await takeFile(ledger, staged, operator)
    return await reply.type(json).send(bodyOf(replyTexts(ledger.db, file, replayed)))
  })

  app.get('/v1/files/:name', {
    config: { allow }, schema: { params: Name, response: { 200: FileReply } }
  }, async (request, reply) => {
    const { file } = await stored(ledger, request.params.name, await senderIn(ledger, callerIn(request)))
    return await reply.type(json).send(bodyOf(replyTexts(ledger.db, file, false)))
  })

  app.get('/v1/files/:name/SS', {
    config: { allow }, schema: { params: Name, response: { 200: plainText } }
  }, async (request, reply) => {
    const { file } = await stored(ledger, request.params.name, await senderIn(ledger, callerIn(request)))
    return await reply.type(latin1).send(bodyOf(refusalBytes(ledger.db, file)))
  })

  app.get('/v1/operators/:party/QS/:date', {
    config: { allow }, schema: { params: OfDay, response: { 200: plainText } }
  },
  async (request, reply) => {
    const { party, date } = request.params
    const operator = merchantOf(await ledger.registry(), party)
    requireSelf(await senderIn(ledger, callerIn(request)), operator.code)
    const summary = await viewSummary(ledger.db, party, operator.merchant, date)
    return await reply.type('text/plain; charset=latin1').send(writeSummaries([summary]))
  })

  app.get('/v1/operators/:party/SS/:date', {
    config: { allow }, schema: { params: OfDay, response: { 200: plainText } }
  }, async (request, reply) => {
    const { party, date } = request.params
    const operator = merchantOf(await ledger.registry(), party)
    requireSelf(await senderIn(ledger, callerIn(request)), operator.code)
    return await reply.type(latin1).send(bodyOf(adjustmentBytes(ledger.db, operator, date)))
  })

  app.get('/v1/operators/:party/NS/:date', {
    config: { allow }, schema: { params: OfDay, response: { 200: plainText } }
  },
  async (request, reply) => {
    const { party, date } = request.params
    const operator = merchantOf(await ledger.registry(), party)
    requireSelf(await senderIn(ledger, callerIn(request)), operator.code)
    const files = await viewFiles(ledger.db, party, date)
    const names = files.map(name => ({ source: sourceName(name), date }))
    return await reply.type('text/plain; charset=latin1').send(writeNames(operator.industry ?? '00', names))
  })
}

/** Pieces of a text as one body; the schema of the route says what they make together. */
const bodyOf = (pieces: AsyncIterable<string | Buffer>): never => Readable.from(pieces) as never

type Sender = Pick<Caller, 'id' | 'party'>

/** Whose files the caller sees: a centre and an operator their own, gateways and staff those of all. */
const senderIn = async (ledger: Ledger, caller: Caller): Promise<Sender> =>
  caller.capacities.includes('centre') ? { ...caller, party: (await centreOf(ledger, caller)).code } : caller

function operatorOf (snapshot: Snapshot, name: string): PartyRow {
  const parts = parseFileName(name)
  if (parts === null || parts.type !== 'XF') {
    throw new Refusal('file_name_invalid', 'wanted: XF, date 8, industry 2, merchant 15, sequence 5', name)
  }
  const operator = [...snapshot.parties.values()].find(party => party.merchant === parts.merchant)
  if (operator !== undefined) return operator
  throw new Refusal('file_name_invalid', `no operator has the merchant number ${parts.merchant}`, name)
}

function merchantOf (snapshot: Snapshot, code: string): PartyRow & { merchant: string } {
  const operator = snapshot.parties.get(code)
  if (operator === undefined || operator.merchant === null) {
    throw new Refusal('not_found', `${code} is not an operator with a merchant number`)
  }
  return { ...operator, merchant: operator.merchant }
}

/** A file whose lines are all booked. */
async function stored (
  ledger: Ledger, name: string, sender: Sender
): Promise<{ file: FileRow, operator: PartyRow }> {
  const merchant = parseFileName(name)?.merchant
  const operator = [...(await ledger.registry()).parties.values()].find(party => party.merchant === merchant)
  const file = operator === undefined ? null : await findFile(ledger.db, operator.code, name)
  if (operator === undefined || file === null) throw new Refusal('not_found', `no file ${name} was processed`)
  requireSelf(sender, operator.code)
  if (!isWhole(file)) throw new Refusal('unavailable', `${name} is being booked; ask again in a moment`)
  return { file, operator }
}
