// A date compared with the centres: totals of each institution (3201), and where they are not equal line by
// line (9101, 3202, 9102). What a centre has told stands beside ours in layer H. It refuses to judge.
import type { CentreStatements, ClinicCentre } from '../../../../schemas/medical/centre.ts'
import { readLines, writeLines, type Values } from '../../../../schemas/medical/layout.ts'
import {
  dialects, resultColumns, statementColumns, type Dialect
} from '../../../../schemas/medical/messages.ts'
import { settings } from '../../../../schemas/medical/rule-set.ts'
import { unzipOne, zipOne } from '../../../../schemas/medical/zip.ts'
import type { MedicalTotals } from '../../../../schemas/reconciliation.ts'
import { groupBy } from '../../../../runtime/collections.ts'
import type { LocalDate } from '../../../../runtime/instants.ts'
import type { Ledger } from '../../../ledger.ts'
import { takeMedicalTotals } from '../../../reconciling/other-side.ts'
import {
  centreLines, centreSettlements, listCentres, type CentreLine
} from '../../../store/clinic-centre.ts'
import { listInstitutions } from '../../../store/clinic.ts'
import { resultNamed, statementRow, totalsOf, type Line } from '../reconciliation.ts'
import { call, msgidOf, type Sender } from './call.ts'

type Told = MedicalTotals['items']
type Statement = CentreStatements['statements'][number]

/** Asks every centre about what was settled with it on a date, and keeps what it tells. */
export async function askForStatements (
  ledger: Ledger, date: LocalDate, by: string
): Promise<CentreStatements> {
  const all = groupBy(await centreLines(ledger.db, date), one => keyOf(one))
  const institutions = await listInstitutions(ledger.db)
  const statements: Statement[] = []
  const told: Told = []
  for (const centre of await listCentres(ledger.db)) {
    for (const { party, ...sender } of institutions) {
      for (const scheme of Object.keys(centre.insurances)) {
        for (const setting of settings) {
          const about = { area: centre.area, party, scheme, setting }
          const lines = all.get(keyOf(about)) ?? []
          const one = await compare(ledger, { centre, date, sender, about, lines })
          statements.push(one.statement)
          told.push(...one.told)
        }
      }
    }
  }
  if (told.length > 0) await takeMedicalTotals(ledger, { date, items: told }, by)
  return { statements }
}

type About = Pick<CentreLine, 'area' | 'party' | 'scheme' | 'setting'>
const keyOf = ({ area, party, scheme, setting }: About): string =>
  JSON.stringify([area, party, scheme, setting])

async function compare (ledger: Ledger, { centre, date, sender, about, lines }: {
  readonly centre: ClinicCentre, readonly date: LocalDate, readonly sender: Sender, readonly about: About
  readonly lines: readonly CentreLine[]
}): Promise<{ readonly statement: Statement, readonly told: Told }> {
  const { area, party, scheme, setting } = about
  const totals = totalsOf(lines.map(lineOf))
  const named = { area, party, scheme, setting, settlements: totals.count }
  const silent = { statement: { ...named, result: 'silent' as const, lines: 0 }, told: [] }
  const clearing = {
    insutype: centre.insurances[scheme] ?? '', clr_type: centre.clearing[setting], setl_optins: area
  }
  const period = { stmt_begndate: date, stmt_enddate: date }
  const sums = { medfee_sumamt: totals.totalFen, fund_pay_sumamt: totals.fundFen }
  const count = { fixmedins_setl_cnt: totals.count }
  const say = { ledger, centre, sender }
  const answered = await call(ledger, centre, sender, {
    name: 'totals', msgid: fresh(say),
    body: { data: { ...clearing, ...period, ...sums, ...count, acct_pay: totals.accountFen } }
  })
  if (answered.says !== 'yes') return silent
  const result = resultNamed(dialects[centre.dialect], answered.body.stmtinfo.stmt_rslt)
  if (result === null) return silent
  if (result === 'equal') return { statement: { ...named, result, lines: 0 }, told: toldOf(lines) }
  const cash = { cash_payamt: lines.reduce((sum, { cashFen }) => sum + cashFen, 0n) }
  const rows = await resultRows(say, lines, { ...clearing, ...period, ...sums, ...cash, ...count })
  if (rows === null) return silent
  const theirs = rows.filter(({ stmt_rslt: code }) =>
    resultNamed(dialects[centre.dialect], code) !== 'institutionMore')
  return {
    statement: {
      ...named, result,
      lines: rows.filter(({ stmt_rslt: code }) =>
        resultNamed(dialects[centre.dialect], code) !== 'equal').length
    },
    told: await toldBy(ledger, centre, theirs)
  }
}

type Say = { readonly ledger: Ledger, readonly centre: ClinicCentre, readonly sender: Sender }
const fresh = ({ ledger: { clock, random }, sender }: Say): string =>
  msgidOf(sender, clock.now(), BigInt(random(4).readUInt32BE()))

const resultBytesMax = 64 * 2 ** 20
type ResultRow = Values<typeof resultColumns>

/** Ours as a file, and the result file of the centre; null where it does not come or is none. */
async function resultRows (
  say: Say, lines: readonly CentreLine[],
  data: Omit<Parameters<typeof call<'details'>>[3]['body']['data'], 'file_qury_no'>
): Promise<ResultRow[] | null> {
  const { ledger, centre, sender } = say
  const dialect: Dialect = dialects[centre.dialect]
  const text = writeLines(statementColumns, lines.map(one => statementRow(lineOf(one), dialect)))
  const zip = zipOne('detail.txt', Buffer.from(text, 'utf8'))
  const uploaded = await call(ledger, centre, sender, {
    name: 'upload', msgid: fresh(say),
    body: { fsUploadIn: { filename: 'detail.zip', in: Buffer.from(zip).toString('base64') } }
  })
  if (uploaded.says !== 'yes') return null
  const { file_qury_no: sent } = uploaded.body.fileinfo
  const asked = await call(ledger, centre, sender,
    { name: 'details', msgid: fresh(say), body: { data: { ...data, file_qury_no: sent } } })
  if (asked.says !== 'yes') return null
  const { file_qury_no: came } = asked.body.fileinfo
  const file = await call(ledger, centre, sender, {
    name: 'download', msgid: fresh(say),
    body: { fsDownloadIn: { file_qury_no: came, filename: 'result.zip' } }
  })
  if (file.says !== 'yes') return null
  const unzipped = unzipOne(Buffer.from(file.body.fsDownloadOut.in, 'base64'), resultBytesMax)
  if (!unzipped.ok) return null
  const read = readLines(resultColumns, Buffer.from(unzipped.bytes).toString('utf8'))
  if (read.ok) return read.value
  const { field, why } = read
  ledger.log.warn({ area: centre.area, field, why }, 'clinic: a result file that is none')
  return null
}

const lineOf = (one: CentreLine): Line => ({
  person: one.person, visit: one.visit, settlement: one.centreNo, message: null, refund: one.sign === -1,
  totalFen: one.totalFen, fundFen: one.fundsFen, accountFen: one.accountFen
})

/* ---- as layer H has it: each settlement once, by what happened to it last ---- */

/** Equal totals: the centre has what we have. */
function toldOf (lines: readonly CentreLine[]): Told {
  const last = new Map(lines.map(one => [one.settlementNo, one]))
  return [...last.values()].map(one => ({
    settlement: String(one.settlementNo), state: one.sign === 1 ? 'settled' as const : 'cancelled' as const,
    amountFen: Math.abs(Number(one.totalFen)), fundsFen: Math.abs(Number(one.fundsFen)),
    accountFen: Math.abs(Number(one.accountFen))
  }))
}

async function toldBy (
  ledger: Ledger, { area, dialect }: ClinicCentre, rows: readonly ResultRow[]
): Promise<Told> {
  const { refund } = dialects[dialect]
  const ours = await centreSettlements(ledger.db, area, rows.map(({ setl_id: no }) => no))
  return [...groupBy(rows, ({ setl_id: no }) => no)].map(([no, its]) => {
    const isBack = its.some(({ refd_setl_flag: flag }) => flag === refund.yes)
    const row = its.find(({ refd_setl_flag: flag }) => flag === (isBack ? refund.yes : refund.no)) ?? its[0]
    const fen = (amount: bigint | null | undefined): number => Math.abs(Number(amount ?? 0n))
    return {
      settlement: ours.get(no) ?? `${area}-${no}`.replace(/[^0-9A-Za-z-]/g, '').slice(0, 40),
      state: isBack ? 'cancelled' as const : 'settled' as const, amountFen: fen(row?.medfee_sumamt),
      fundsFen: fen(row?.fund_pay_sumamt), accountFen: fen(row?.acct_pay)
    }
  })
}
