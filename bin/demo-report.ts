// The figures of a morning as a page for a terminal. It refuses to know how they came about.

import { tapReasons, type TapReason } from '../schemas/gateway.ts'
import { type VerdictReason, verdictReasons } from '../schemas/reasons.ts'
import { count, table, yuan } from './table.ts'

type PartyFigures = {
  party: string, nameZh: string, nameEn: string, claimsFen: number, commissionFen: number, loadsFen: number
  loadCommissionFen: number, adjustmentsFen: number, netFen: number
}
type StoryTap = {
  at: string, lane: string, reason: TapReason, amountFen: number | null, balanceAfterFen: number | null
}

/** What the report reads of the figures. */
export type Figures = {
  seed: number, clearingDate: string, readers: number, cards: number, profiles: Record<string, number>
  taps: number, torn: number, recovered: number, tapReasons: Record<string, number>
  records: {
    delivered: number, distinct: number, accepted: number, held: number, excluded: number
    refused: Record<string, number>
  }
  offline: { records: number, delivered: number, cards: number }
  parties: PartyFigures[]
  netSumFen: number
  day: { state: string, approvals: string[] }
  chainHead: string
  head: { size: number, keyId: string }
  verify: string
  verifyChecks: { check: string, ok: boolean, detail: string }[]
  auditor: string
  auditorFound: {
    chipsFen: number, shadowFen: number, explained: Record<string, { count: number, fen: number }>
    problems: string[]
  }
  chipDebitsFen: number
  tapMs: { p50: number, p99: number }
  recordsPerSecond: number
  rssMiB: Record<string, number>
  surprises: string[]
  story: { card: string, profile: string, type: string, openingFen: number, taps: StoryTap[] } | null
}

export const isOk = ({ verify, auditor, netSumFen, surprises, day }: Figures): boolean =>
  verify === 'ok' && auditor === 'ok' && netSumFen === 0 && surprises.length === 0 &&
  day.state === 'INSTRUCTED'

export function report (figures: Figures, dir: string): string {
  return [
    '',
    `A morning in Goose City  雁城的早晨  ${figures.clearingDate}, seed ${figures.seed}`,
    ...tapPart(figures),
    ...storyPart(figures),
    ...recordPart(figures),
    ...moneyPart(figures),
    ...proofPart(figures),
    ...furtherPart(figures, dir),
    ''
  ].join('\n')
}

const heading = (words: string): string[] => ['', words, '']
const indented = (lines: readonly string[]): string[] => lines.map(line => `  ${line}`)

function tapPart (figures: Figures): string[] {
  const { cards, readers, taps, torn, recovered, tapMs, profiles } = figures
  const families = Object.entries(profiles).map(([name, many]) => `${many} ${name}`).join(', ')
  const rows = Object.entries(figures.tapReasons).sort(([, a], [, b]) => b - a).map(([reason, many]) => {
    const { zh, en, outcome } = tapReasons[reason as TapReason]
    return [zh, en, outcome, String(many)]
  })
  return [
    ...heading(`Tapped  刷卡   ${cards} cards (${families}) on ${readers} PC/SC readers, ${taps} taps`),
    ...indented(table([['说明', 'what the terminal said', 'outcome', 'taps'], ...rows],
      ['left', 'left', 'left', 'right'])),
    '',
    `  ${torn} payments were torn off in mid-debit, ${recovered} of these cards came back and settled it.`,
    `  From card to open gate: ${tapMs.p50} ms (median), ${tapMs.p99} ms (99 %).`
  ]
}

function storyPart ({ story }: Figures): string[] {
  if (story === null) return []
  const orBlank = (fen: number | null, blank: string) => fen === null ? blank : yuan(fen)
  const rows = story.taps.map(({ at, lane, reason, amountFen, balanceAfterFen }) => [
    at, lane, orBlank(amountFen, ''), orBlank(balanceAfterFen, '?'),
    `${tapReasons[reason].zh}  ${tapReasons[reason].en}`
  ])
  return [
    ...heading(`One of them  其中一张   ${story.card} (${story.profile}, ${story.type}), ` +
      `${yuan(story.openingFen)} yuan in the morning`),
    ...indented(table([['time', 'lane', 'yuan', 'left', 'the terminal said'], ...rows],
      ['left', 'left', 'right', 'right', 'left']))
  ]
}

function recordPart ({ records, offline, recordsPerSecond }: Figures): string[] {
  const { delivered, distinct, accepted, held, excluded, refused } = records
  const rows = Object.entries(refused).sort(([, a], [, b]) => b - a).map(([reason, many]) => {
    const { zh, en, wire } = verdictReasons[reason as VerdictReason]
    return [zh, en, wire ?? '', count(many)]
  })
  const refusedCount = Object.values(refused).reduce((sum, many) => sum + many, 0)
  return [
    ...heading(`Delivered  上传   ${count(delivered)} records; ${count(offline.delivered)} of them by bus ` +
      `validators, out of order, at ${count(recordsPerSecond)} a second`),
    ...indented(table([
      ['', '', 'records'],
      ['接收', 'accepted', count(accepted)],
      ['挂起', 'held until more is known', count(held)],
      ['剔除', 'excluded: test cards and test PSAMs', count(excluded)],
      ['拒付', 'refused', count(refusedCount)],
      ['合计', 'distinct', count(distinct)]
    ], ['left', 'left', 'right'])),
    '',
    `  ${count(delivered - distinct)} came more than once and were booked once. Refused, and why:`,
    '',
    ...indented(table([['原因', 'reason', 'code', 'records'], ...rows], ['left', 'left', 'left', 'right']))
  ]
}

function moneyPart ({ parties, netSumFen, day, clearingDate }: Figures): string[] {
  const rows = parties.map(one => [
    one.party, one.nameZh, one.nameEn, yuan(one.claimsFen + one.adjustmentsFen), yuan(-one.commissionFen),
    yuan(-one.loadsFen), yuan(one.loadCommissionFen), yuan(one.netFen)
  ])
  const head = ['', '参与方', 'party', 'claims', 'commission', 'loads taken', 'load comm.', 'net, yuan']
  const payer = (wanted: number) => parties.filter(({ netFen }) => Math.sign(netFen) === wanted)
    .map(({ party, netFen }) => `${party} ${yuan(Math.abs(netFen))}`).join(', ')
  const approvers = day.approvals.join(' and ')
  return [
    ...heading(`Who owes whom  清算   ${clearingDate}: ${day.state}, approved by ${approvers}`),
    ...indented(table([head, ...rows, ['', '', 'sum', '', '', '', '', yuan(netSumFen)]],
      ['left', 'left', 'left', 'right', 'right', 'right', 'right', 'right'])),
    '',
    `  ${payer(-1)} pay; ${payer(1)} receive. Not a fen is left over.`
  ]
}

const causes: Readonly<Record<string, string>> = {
  held: 'held: the chip paid, the books wait for proof',
  refused: 'refused, the books do not know that the chip paid',
  excluded: 'test cards: never booked',
  issuer: 'lost cards in the allowed window: the issuer paid, not the holder',
  'not delivered': 'not delivered, or in records that nobody can read'
}

function proofPart (figures: Figures): string[] {
  const { verify, verifyChecks, auditor, chipDebitsFen, surprises } = figures
  const { chipsFen, shadowFen, explained, problems } = figures.auditorFound
  const rows = Object.entries(explained).map(([why, { count: many, fen }]) =>
    [causes[why] ?? why, count(many), yuan(fen)])
  const bad = [
    ...verifyChecks.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`),
    ...problems, ...surprises
  ]
  return [
    ...heading('Proof  核对'),
    `  verify: ${verify}  ${verifyChecks.length} checks of the books and of the proof tree`,
    `  auditor: ${auditor}  chips hold ${yuan(chipsFen)}, the ledger owes their holders ` +
      `${yuan(shadowFen)}; the difference, card by card:`,
    '',
    ...indented(indented(table([['cause', 'events', 'yuan'], ...rows,
      ['explained', '', yuan(shadowFen - chipsFen)]], ['left', 'right', 'right']))),
    '',
    `  The chips on the readers have lost ${yuan(chipDebitsFen)} yuan.`,
    ...(bad.length === 0 ? [] : ['', '  NOT AS IT SHOULD BE', ...indented(indented(bad))])
  ]
}

function furtherPart ({ chainHead, head, rssMiB }: Figures, dir: string): string[] {
  const memory = Object.entries(rssMiB).map(([name, mib]) => `${name} ${mib}`).join(', ')
  return [
    ...heading('Further  深入'),
    `  chain head  ${chainHead.slice(0, 32)}…  over ${head.size} batches, signed by key ${head.keyId}`,
    '  npm run verify   rebuilds every balance from the transfers and checks the proof tree',
    '  npm run demo -- --keep   stays up, with addresses and sign-ins',
    `  ${dir}/   database, spool of the gateway, access.json with the sign-ins`,
    `  memory at most, MiB: ${memory}`
  ]
}
