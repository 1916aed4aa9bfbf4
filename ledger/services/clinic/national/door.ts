// A hospital that speaks the national messages to us: one address, an envelope in, an envelope out. What is
// wrong in a message is said in its answer; where the outcome is not known there is none. It refuses to know
// HTTP, rules and money.
import { formatIso } from '../../../../runtime/instants.ts'
import { clinicReasonWords, type ClinicReply } from '../../../../schemas/medical/clinic.ts'
import {
  buildAnswer, parseRequest, type AnswerBody, type RequestMessage
} from '../../../../schemas/medical/message.ts'
import { dialects, numberOf, type MessageName } from '../../../../schemas/medical/messages.ts'
import type { ClinicNational } from '../../../../schemas/medical/national.ts'
import type { Ledger } from '../../../ledger.ts'
import { Refusal } from '../../../refusal.ts'
import { findNational } from '../../../store/clinic-national.ts'
import { clinicOf } from '../desk.ts'
import { billOf, cancel, look, reverse, settle } from './bills.ts'
import { download, details, totals, upload } from './files.ts'
import { takeItems, takeItemsBack } from './items.ts'

/** A hospital at this address. */
export type At = {
  readonly ledger: Ledger, readonly party: string, readonly partyId: number, readonly client: string
  readonly national: ClinicNational
}
/** `no`: nothing was done, in the words of the answer. */
export type Said = { readonly body: unknown } | { readonly no: string }

/**
 * The answer to a message, once under its id. Throws Refusal not_found, conditions_not_met where the hospital
 * is not set up, unavailable where nobody knows what became of it: it may be sent again, asked after (5203)
 * or reversed (2601).
 */
export async function answerNational (
  ledger: Ledger, { party, client }: { readonly party: string, readonly client: string }, bytes: Uint8Array
): Promise<Uint8Array> {
  const partyId = await clinicOf(ledger, party)
  const national = await findNational(ledger.db, partyId)
  if (national === null) {
    throw new Refusal('conditions_not_met', `${party} does not speak the national messages yet`)
  }
  const dialect = dialects[national.dialect]
  const read = parseRequest(dialect, bytes)
  if (!read.ok) return written(ledger, null, { no: `报文有误：${read.field} ${read.why}` })
  const { message } = read
  if (message.head.fixmedins_code !== national.code) {
    return written(ledger, message.name, { no: '机构编码不符：fixmedins_code' })
  }
  const at = { ledger, party, partyId, client, national }
  const said = await saidTo(at, message)
  return written(ledger, message.name, said)
}

async function saidTo (at: At, message: RequestMessage): Promise<Said> {
  const { name, head: { msgid } } = message
  switch (message.name) {
    case 'items': case 'inpatientItems': return await takeItems(at, message.body.feedetail)
    case 'itemsBack': case 'inpatientItemsBack': return await takeItemsBack(at, message.body.data)
    case 'preSettle': return await look(at, 'outpatient', msgid, message.body.data)
    case 'inpatientPreSettle': return await look(at, 'inpatient', msgid, message.body.data)
    case 'settle': return await settle(at, 'outpatient', msgid, message.body.data)
    case 'inpatientSettle': return await settle(at, 'inpatient', msgid, message.body.data)
    case 'cancel': case 'inpatientCancel': return await cancel(at, msgid, message.body.data)
    case 'reverse': return await reverse(at, msgid, message.body.data)
    case 'settlementQuery': return await billOf(at, message.body.data)
    case 'totals': return await totals(at, message.body.data)
    case 'details': return await details(at, message.body.data)
    case 'upload': return await upload(at, message.body.fsUploadIn)
    case 'download': return await download(at, message.body.fsDownloadIn)
    default: return { no: `本系统不受理该交易：${numberOf(dialects[at.national.dialect], name)}` }
  }
}

/** Facts name 0 alone: all else is no. */
const declinedCode = -1

function written ({ clock }: Pick<Ledger, 'clock'>, name: MessageName | null, said: Said): Uint8Array {
  const at = formatIso(clock.now()).slice(0, 19).replace('T', ' ')
  const head = {
    infcode: 'no' in said ? declinedCode : 0, inf_refmsgid: null, refmsg_time: at, respond_time: at,
    err_msg: 'no' in said ? said.no.slice(0, 2_000) : null
  }
  if ('no' in said || name === null) return buildAnswer('reverse', head, null)
  return buildAnswer(name, head, said.body as AnswerBody<typeof name>)
}

/** Why the door for bills said no; null where it did not. Throws Refusal unavailable: nobody knows. */
export function noOf (reply: ClinicReply): { readonly no: string } | null {
  if (reply.outcome === 'approved') return null
  if (reply.outcome === 'unknown') {
    const what = 'nobody knows what became of it: send it again, ask (5203) or reverse it'
    throw new Refusal('unavailable', what)
  }
  const { zh } = clinicReasonWords[reply.reason]
  return { no: [zh, ...reply.says === null ? [] : [reply.says]].join('：') }
}
