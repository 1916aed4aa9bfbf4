// The message set of the national medical insurance platform as a table: number, what it does, the bodies we
// read and write. What provinces number otherwise is a dialect: data too. It refuses to know bytes.
import { fundFields, settlementFields } from './fields.ts'
import type { Layout } from './layout.ts'

/** A part of a body: one object, or a list of rows. */
export type Node = { readonly fields: Layout, readonly list?: true }
export type Body = Readonly<Record<string, Node>>

export type MessageRow = {
  readonly number: string
  readonly says: string
  /**
   * What the centre does: `none` keeps nothing; `registers` keeps data that is no money; `settles`, `cancels`
   * and `reverses` move money; `claims` asks to be paid.
   */
  readonly effect: 'none' | 'registers' | 'settles' | 'cancels' | 'reverses' | 'claims'
  /** Null where we neither read nor write the body: it is passed on as it is. */
  readonly request: Body | null
  readonly answer: Body | null
}

/* ---- bodies ---- */

const person = { name: 'psn_no', format: 'text', max: 30, says: 'person' } as const
const visit = { name: 'mdtrt_id', format: 'text', max: 30, says: 'visit' } as const
const settlement = { name: 'setl_id', format: 'text', max: 30, says: 'settlement' } as const
const insurance = { name: 'insutype', format: 'text', max: 6, says: 'kind of insurance' } as const
const agency = { name: 'setl_optins', format: 'text', max: 6, says: 'settling agency' } as const
const clearing = { name: 'clr_type', format: 'text', max: 6, says: 'clearing type' } as const
const period = [
  { name: 'stmt_begndate', format: 'date', says: 'first day' },
  { name: 'stmt_enddate', format: 'date', says: 'last day' }
] as const
const count = { name: 'fixmedins_setl_cnt', format: 'count', says: 'number of settlements' } as const
const total = { name: 'medfee_sumamt', format: 'money', says: 'total' } as const
const fund = { name: 'fund_pay_sumamt', format: 'money', says: 'all funds' } as const
const account = { name: 'acct_pay', format: 'money', says: 'personal account' } as const
const exception = { name: 'memo', format: 'text', max: 500, optional: true, says: 'remark' } as const

const settling = [
  person,
  { name: 'mdtrt_cert_type', format: 'text', max: 3, says: 'kind of credential' },
  { name: 'mdtrt_cert_no', format: 'text', max: 50, optional: true, says: 'credential' },
  { name: 'med_type', format: 'text', max: 6, says: 'kind of care' },
  total,
  { name: 'psn_setlway', format: 'text', max: 6, says: 'way of settling' },
  visit,
  { name: 'chrg_bchno', format: 'text', max: 30, says: 'batch of charges' },
  { name: 'acct_used_flag', format: 'text', max: 1, says: 'whether the personal account may pay' },
  insurance
] as const satisfies Layout

/** `chrgitm_lv` by the class of an item. */
export const levelOfClass = { A: '01', B: '02', C: '03' } as const
/** Null for a level that is none. */
export const classOfLevel = (level: string): keyof typeof levelOfClass | null =>
  (['A', 'B', 'C'] as const).find(one => levelOfClass[one] === level) ?? null

/** Which fields of an item a province wants differs; these are what a bill is shared out by. */
const itemFields = [
  { name: 'feedetl_sn', format: 'text', max: 30, says: 'number of the line' },
  visit, person,
  { name: 'chrg_bchno', format: 'text', max: 30, says: 'batch of charges' },
  { name: 'med_list_codg', format: 'text', max: 64, says: 'item' },
  { name: 'det_item_fee_sumamt', format: 'money', says: 'amount' },
  { name: 'chrgitm_lv', format: 'text', max: 3, says: 'class: 01 A, 02 B, 03 C' },
  { name: 'pric_uplmt_amt', format: 'money', optional: true, says: 'price limit' },
  { name: 'selfpay_prop', format: 'rate', optional: true, says: 'own share first' }
] as const satisfies Layout
/** By the sender's message id where the number of the settlement never came. */
const querying = [
  person, { ...visit, optional: true }, { ...settlement, optional: true },
  { name: 'medins_setl_id', format: 'text', max: 30, optional: true, says: "the sender's message id" }
] as const satisfies Layout
const takingBack = [
  { name: 'chrg_bchno', format: 'text', max: 30, says: 'batch of charges; 0000 for all' }, visit, person
] as const satisfies Layout
const bytes = { name: 'in', format: 'text', says: 'the file, in base 64' } as const
const fileName = { name: 'filename', format: 'text', max: 200, says: 'its name' } as const
const uploading = [fileName, bytes] as const satisfies Layout
const downloading = [
  { name: 'file_qury_no', format: 'text', max: 30, says: 'number of the file' }, fileName
] as const satisfies Layout
const downloaded = [fileName, bytes] as const satisfies Layout

const cancelling = [settlement, visit, person] as const satisfies Layout
const reversing = [
  person,
  { name: 'omsgid', format: 'text', max: 30, says: 'message id of the original' },
  { name: 'oinfno', format: 'text', max: 4, says: 'number of the original' }
] as const satisfies Layout
const totalsAsked = [
  insurance, clearing, agency, ...period, total, fund, account, count
] as const satisfies Layout
const totalsAnswered = [
  agency,
  { name: 'stmt_rslt', format: 'text', max: 6, says: 'result' },
  { name: 'stmt_rslt_dscr', format: 'text', max: 500, optional: true, says: 'result in words' }
] as const satisfies Layout
const detailsAsked = [
  agency, { name: 'file_qury_no', format: 'text', max: 30, says: 'number of the uploaded file' }, ...period,
  total, fund, { name: 'cash_payamt', format: 'money', says: 'cash' }, count, clearing
] as const satisfies Layout
const detailsAnswered = [
  { name: 'file_qury_no', format: 'text', max: 30, says: 'number of the result file' }
] as const satisfies Layout

const settled = {
  setlinfo: { fields: settlementFields }, setldetail: { fields: fundFields, list: true }
} as const
const one = <F extends Layout>(fields: F) => ({ data: { fields } }) as const

/** A line that 3202 uploads, and one of its result file. Which columns stand where is data of the dialect. */
export const statementColumns = [
  settlement, visit, person, total, fund, account,
  { name: 'refd_setl_flag', format: 'text', max: 6, says: 'refund' }
] as const satisfies Layout
export const resultColumns = [
  person, visit, settlement,
  { name: 'msgid', format: 'text', max: 30, optional: true, says: "the sender's message id" },
  { name: 'stmt_rslt', format: 'text', max: 6, says: 'result' },
  { name: 'refd_setl_flag', format: 'text', max: 6, says: 'refund' },
  exception, { ...total, optional: true }, { ...fund, optional: true }, { ...account, optional: true }
] as const satisfies Layout

/* ---- the set ---- */

const asIs = { request: null, answer: null } as const

/** By what it is for. */
export const messages = {
  signIn: { number: '9001', says: 'sign in', effect: 'none', ...asIs },
  signOut: { number: '9002', says: 'sign out', effect: 'none', ...asIs },
  person: { number: '1101', says: 'who somebody is', effect: 'none', ...asIs },
  institution: { number: '1201', says: 'an institution', effect: 'none', ...asIs },
  catalogue: { number: '1312', says: 'catalogue', effect: 'none', ...asIs },
  priceLimits: { number: '1318', says: 'price limits', effect: 'none', ...asIs },
  ownShares: { number: '1319', says: 'own shares first', effect: 'none', ...asIs },
  entitlement: { number: '2001', says: 'what somebody is entitled to', effect: 'none', ...asIs },
  register: { number: '2201', says: 'register an outpatient', effect: 'registers', ...asIs },
  unregister: { number: '2202', says: 'take a registration back', effect: 'registers', ...asIs },
  visit: { number: '2203', says: 'a visit', effect: 'registers', ...asIs },
  items: {
    number: '2204', says: 'upload items', effect: 'registers',
    request: { feedetail: { fields: itemFields, list: true } }, answer: null
  },
  /** Batch 0000: all that are not settled; what is settled must be cancelled first. */
  itemsBack: {
    number: '2205', says: 'take items back', effect: 'registers', request: one(takingBack), answer: null
  },
  preSettle: {
    number: '2206', says: 'settle, without effect', effect: 'none', request: one(settling), answer: settled
  },
  settle: { number: '2207', says: 'settle', effect: 'settles', request: one(settling), answer: settled },
  cancel: {
    number: '2208', says: 'cancel a settlement; answers its bill', effect: 'cancels',
    request: one(cancelling), answer: settled
  },
  inpatientItems: {
    number: '2301', says: 'upload items of a stay', effect: 'registers',
    request: { feedetail: { fields: itemFields, list: true } }, answer: null
  },
  inpatientItemsBack: {
    number: '2302', says: 'take items of a stay back', effect: 'registers', request: one(takingBack),
    answer: null
  },
  inpatientPreSettle: {
    number: '2303', says: 'settle a stay, without effect', effect: 'none', request: one(settling),
    answer: settled
  },
  inpatientSettle: {
    number: '2304', says: 'settle a stay', effect: 'settles', request: one(settling), answer: settled
  },
  inpatientCancel: {
    number: '2305', says: 'cancel the settlement of a stay', effect: 'cancels', request: one(cancelling),
    answer: settled
  },
  admit: { number: '2401', says: 'admission', effect: 'registers', ...asIs },
  discharge: { number: '2402', says: 'discharge', effect: 'registers', ...asIs },
  admissionChange: { number: '2403', says: 'change of an admission', effect: 'registers', ...asIs },
  admissionBack: { number: '2404', says: 'take an admission back', effect: 'registers', ...asIs },
  dischargeBack: { number: '2405', says: 'take a discharge back', effect: 'registers', ...asIs },
  reverse: {
    number: '2601', says: 'reverse by message id', effect: 'reverses', request: one(reversing), answer: null
  },
  totals: {
    number: '3201', says: 'compare totals', effect: 'none', request: one(totalsAsked),
    answer: { stmtinfo: { fields: totalsAnswered } }
  },
  details: {
    number: '3202', says: 'compare details', effect: 'none', request: one(detailsAsked),
    answer: { fileinfo: { fields: detailsAnswered } }
  },
  crossRegion: { number: '3260', says: 'clearing lines between regions', effect: 'none', ...asIs },
  settlementQuery: {
    number: '5203', says: 'a settlement', effect: 'none', request: one(querying), answer: settled
  },
  itemQuery: { number: '5204', says: 'items of a settlement', effect: 'none', ...asIs },
  accumulators: { number: '5206', says: 'sums of the year', effect: 'none', ...asIs },
  upload: {
    number: '9101', says: 'upload a file', effect: 'none', request: { fsUploadIn: { fields: uploading } },
    answer: { fileinfo: { fields: detailsAnswered } }
  },
  download: {
    number: '9102', says: 'download a file', effect: 'none',
    request: { fsDownloadIn: { fields: downloading } },
    answer: { fsDownloadOut: { fields: downloaded } }
  }
} as const satisfies Record<string, MessageRow>
export type MessageName = keyof typeof messages
export const messageNames = Object.keys(messages) as readonly MessageName[]
export const rowOf = (name: MessageName): MessageRow => messages[name]

/** Lines that one call of 3260 answers at most. */
export const crossRegionRowsMax = 100

/** Applications to be paid: 3691 to 3704, one after the other; their bodies are a province's own. */
export const claimNumbers = { from: 3691, to: 3704 } as const

/* ---- dialects ---- */

export const results = ['equal', 'centreMore', 'institutionMore', 'differ'] as const
export type Result = typeof results[number]

export type Dialect = {
  /** Numbers that differ from the national ones. */
  readonly numbers: Partial<Record<MessageName, string>>
  /** `stmt_rslt` by what it says. */
  readonly results: Readonly<Record<Result, string>>
  /** `refd_setl_flag` of a line that stands, and of one that takes a bill back. */
  readonly refund: { readonly no: string, readonly yes: string }
}

const oneDigit = { equal: '0', centreMore: '1', institutionMore: '2', differ: '3' } as const
/** 000101 was not seen: it completes the row. */
const sixDigits = {
  equal: '000000', centreMore: '000101', institutionMore: '000102', differ: '000103'
} as const

export const dialects = {
  national: { numbers: {}, results: oneDigit, refund: { no: '0', yes: '1' } },
  nationalSixDigits: { numbers: {}, results: sixDigits, refund: { no: '0', yes: '1' } },
  /** Work injury in Jiangsu. */
  jiangsuInjury: {
    numbers: { reverse: '2209', totals: '1320', details: '1321' }, results: oneDigit,
    refund: { no: '0', yes: '1' }
  }
} as const satisfies Record<string, Dialect>

export const numberOf = ({ numbers }: Dialect, name: MessageName): string =>
  numbers[name] ?? messages[name].number

/** Null for a number that the dialect does not have. */
export const nameOf = (dialect: Dialect, number: string): MessageName | null =>
  messageNames.find(name => numberOf(dialect, name) === number) ?? null
