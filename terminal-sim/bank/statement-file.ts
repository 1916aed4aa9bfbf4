// The bank's side of the wire: account statements as camt.053 in two versions and as CSV, the way banks write
// them. Shares no code with whoever reads them.

export type StatementLine = {
  readonly reference: string
  readonly bookedOn: string
  /** Positive: credited to the account. */
  readonly amountFen: number
  readonly endToEndId?: string | undefined
  readonly returnReason?: string | undefined
  readonly counterparty?: string | undefined
  readonly counterpartyName?: string | undefined
  readonly text?: string | undefined
}

export type StatementFile = {
  readonly account: string
  readonly id: string
  readonly sequence: number
  readonly fromDate: string
  readonly toDate: string
  readonly openingFen: number
  readonly lines: readonly StatementLine[]
}

export const statementFormats = ['camt.053.001.08', 'camt.053.001.02', 'csv'] as const
export type StatementFormat = typeof statementFormats[number]

/** The file, and the content type it is sent with. */
export const statementFile = (
  format: StatementFormat, file: StatementFile
): { text: string, type: string } =>
  format === 'csv'
    ? { text: asCsv(file), type: 'text/csv' }
    : { text: asCamt(file, format), type: 'application/xml' }

const closingFen = ({ openingFen, lines }: StatementFile): number =>
  lines.reduce((sum, line) => sum + line.amountFen, openingFen)

const yuan = (fen: number): string => {
  const digits = String(Math.abs(fen)).padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

function asCsv (file: StatementFile): string {
  const signed = (fen: number) => `${fen < 0 ? '-' : ''}${yuan(fen)}`
  const quoted = (value: string) => /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
  const row = (...cells: readonly string[]) => cells.map(quoted).join(',') + '\r\n'
  return [
    row('statement', file.account, file.id, String(file.sequence), file.fromDate, file.toDate,
      signed(file.openingFen), signed(closingFen(file))),
    ...file.lines.map(line => row('line', line.reference, line.bookedOn, signed(line.amountFen),
      line.endToEndId ?? '', line.returnReason ?? '', line.counterparty ?? '', line.counterpartyName ?? '',
      line.text ?? '')),
    row('end', '1', String(file.lines.length))
  ].join('')
}

const xmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function asCamt (file: StatementFile, format: 'camt.053.001.02' | 'camt.053.001.08'): string {
  const isNew = format === 'camt.053.001.08'
  const balance = (code: string, date: string, fen: number) =>
    `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp>${money(fen)}<Dt><Dt>${date}</Dt></Dt></Bal>`
  return `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:${format}">
 <BkToCstmrStmt>
  <GrpHdr><MsgId>${xmlText(file.id)}</MsgId><CreDtTm>${file.toDate}T23:30:00+08:00</CreDtTm></GrpHdr>
  <Stmt>
   <Id>${xmlText(file.id)}</Id><ElctrncSeqNb>${file.sequence}</ElctrncSeqNb>
   <CreDtTm>${file.toDate}T23:30:00+08:00</CreDtTm>
   <FrToDt>
    <FrDtTm>${file.fromDate}T00:00:00+08:00</FrDtTm><ToDtTm>${file.toDate}T23:59:59+08:00</ToDtTm>
   </FrToDt>
   <Acct><Id><Othr><Id>${xmlText(file.account)}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>
   ${balance('OPBD', file.fromDate, file.openingFen)}
   ${balance('CLBD', file.toDate, closingFen(file))}
${file.lines.map(line => entry(line, isNew)).join('\n')}
  </Stmt>
 </BkToCstmrStmt>
</Document>
`
}

const money = (fen: number): string =>
  `<Amt Ccy="CNY">${yuan(fen)}</Amt><CdtDbtInd>${fen < 0 ? 'DBIT' : 'CRDT'}</CdtDbtInd>`

function entry (line: StatementLine, isNew: boolean): string {
  const other = line.amountFen > 0 ? 'Dbtr' : 'Cdtr'
  const named = line.counterpartyName === undefined ? '' : `<Nm>${xmlText(line.counterpartyName)}</Nm>`
  const party = named === '' ? '' : `<${other}>${isNew ? `<Pty>${named}</Pty>` : named}</${other}>`
  const account = line.counterparty === undefined
    ? ''
    : `<${other}Acct><Id><Othr><Id>${xmlText(line.counterparty)}</Id></Othr></Id></${other}Acct>`
  const amount = isNew
    ? money(line.amountFen)
    : `<AmtDtls><TxAmt><Amt Ccy="CNY">${yuan(line.amountFen)}</Amt></TxAmt></AmtDtls>`
  const texts = line.text === undefined ? '' : `<RmtInf><Ustrd>${xmlText(line.text)}</Ustrd></RmtInf>`
  const returned = line.returnReason === undefined
    ? ''
    : `<RtrInf><Rsn><Cd>${xmlText(line.returnReason)}</Cd></Rsn></RtrInf>`
  return `   <Ntry>${money(line.amountFen)}` +
    (line.returnReason === undefined ? '' : '<RvslInd>true</RvslInd>') +
    `<Sts>${isNew ? '<Cd>BOOK</Cd>' : 'BOOK'}</Sts>` +
    `<BookgDt><Dt>${line.bookedOn}</Dt></BookgDt><ValDt><Dt>${line.bookedOn}</Dt></ValDt>` +
    `<AcctSvcrRef>${xmlText(line.reference)}</AcctSvcrRef>` +
    '<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd>' +
    `<NtryDtls><TxDtls><Refs><EndToEndId>${xmlText(line.endToEndId ?? 'NOTPROVIDED')}</EndToEndId></Refs>` +
    `${amount}<RltdPties>${party}${account}</RltdPties>${texts}${returned}</TxDtls></NtryDtls></Ntry>`
}
