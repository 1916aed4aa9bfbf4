// Bank files byte by byte: payments against a schema written by hand, statements written by hand after the
// published message definitions, and everything a reader of statements must refuse.
import t from 'tap'
import fc from 'fast-check'
import { deepStrictEqual } from 'node:assert/strict'
import { validateXML } from 'xmllint-wasm'
import { fenOf, yuanText } from '../schemas/bank/amount.ts'
import { readCamt053 } from '../schemas/bank/camt053.ts'
import { readCsvStatements, writeCsvInstructions } from '../schemas/bank/csv.ts'
import { writePain001, type CreditTransfer, type PaymentFile } from '../schemas/bank/pain001.ts'
import { BankFileError, contentOf, type BankStatement } from '../schemas/bank/statement.ts'

t.setTimeout(180_000)

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8')

/* ---- amounts ---- */

t.test('yuan are cut by digits', async t => {
  for (const [fen, text] of [
    [0n, '0.00'], [1n, '0.01'], [10n, '0.10'], [99n, '0.99'], [100n, '1.00'], [-1n, '-0.01'],
    [-100n, '-1.00'], [1_153_520n, '11535.20'], [999_999_999_999_999n, '9999999999999.99']
  ] as const) {
    t.equal(yuanText(fen), text)
    t.equal(fenOf(text), fen)
  }
  for (const [text, fen] of [
    ['5', 500n], ['5.1', 510n], ['5.10000', 510n], ['+5.10', 510n], ['007.05', 705n]
  ] as const) t.equal(fenOf(text), fen, text)
  for (const text of [
    '', '.', '5.', '.5', '1.005', '1,00', '1e3', '0x10', ' 1', '1 ', '1\n', '--1', '1.2.3', '１', 'NaN',
    '12345678901234', '1'.repeat(40), '1.000000'
  ]) t.equal(fenOf(text), null, JSON.stringify(text))
})

/* ---- pain.001 ---- */

const ours = { name: '市民卡公司', number: '6222000011112222', bankCode: '102551000017' }
const bus = { name: '长沙公交', number: '430100000001', bankCode: '105551000025' }
const shop = { name: 'Shop & Sons', number: '430100000002', bankCode: '105551000033' }

const pay = (id: string, amountFen: bigint, more: Partial<CreditTransfer> = {}): CreditTransfer =>
  ({ id, amountFen, to: bus, text: '2026-03-02 commerce BUS', ...more })

const fileOf = (transfers: readonly CreditTransfer[], more: Partial<PaymentFile> = {}): PaymentFile => ({
  messageId: 'CITYCARD-20260302-1',
  createdAt: '2026-03-03T10:00:00.000+08:00',
  initiator: ours.name,
  groups: [{ id: 'CITYCARD-20260302-1-1', executeOn: '2026-03-03', from: ours, transfers }],
  ...more
})

const small = fileOf([
  pay('20260302-commerce-BUS', 538n),
  pay('20260302-commerce-SHP', 1_153_520n, { to: shop, text: '2026-03-02 commerce SHP' })
])

/* eslint-disable @stylistic/max-len -- a file stands as it is */
const goldenPayments = `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09">
<CstmrCdtTrfInitn>
<GrpHdr>
<MsgId>CITYCARD-20260302-1</MsgId>
<CreDtTm>2026-03-03T10:00:00.000+08:00</CreDtTm>
<NbOfTxs>2</NbOfTxs>
<CtrlSum>11540.58</CtrlSum>
<InitgPty><Nm>市民卡公司</Nm></InitgPty>
</GrpHdr>
<PmtInf>
<PmtInfId>CITYCARD-20260302-1-1</PmtInfId>
<PmtMtd>TRF</PmtMtd>
<BtchBookg>false</BtchBookg>
<NbOfTxs>2</NbOfTxs>
<CtrlSum>11540.58</CtrlSum>
<ReqdExctnDt><Dt>2026-03-03</Dt></ReqdExctnDt>
<Dbtr><Nm>市民卡公司</Nm></Dbtr>
<DbtrAcct><Id><Othr><Id>6222000011112222</Id></Othr></Id><Ccy>CNY</Ccy></DbtrAcct>
<DbtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>102551000017</MmbId></ClrSysMmbId></FinInstnId></DbtrAgt>
<CdtTrfTxInf>
<PmtId><InstrId>20260302-commerce-BUS</InstrId><EndToEndId>20260302-commerce-BUS</EndToEndId></PmtId>
<Amt><InstdAmt Ccy="CNY">5.38</InstdAmt></Amt>
<CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>105551000025</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>
<Cdtr><Nm>长沙公交</Nm></Cdtr>
<CdtrAcct><Id><Othr><Id>430100000001</Id></Othr></Id></CdtrAcct>
<RmtInf><Ustrd>2026-03-02 commerce BUS</Ustrd></RmtInf>
</CdtTrfTxInf>
<CdtTrfTxInf>
<PmtId><InstrId>20260302-commerce-SHP</InstrId><EndToEndId>20260302-commerce-SHP</EndToEndId></PmtId>
<Amt><InstdAmt Ccy="CNY">11535.20</InstdAmt></Amt>
<CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>105551000033</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>
<Cdtr><Nm>Shop &amp; Sons</Nm></Cdtr>
<CdtrAcct><Id><Othr><Id>430100000002</Id></Othr></Id></CdtrAcct>
<RmtInf><Ustrd>2026-03-02 commerce SHP</Ustrd></RmtInf>
</CdtTrfTxInf>
</PmtInf>
</CstmrCdtTrfInitn>
</Document>
`

/* eslint-enable @stylistic/max-len */

/** The part of pain.001.001.09 that we use: order, presence, lengths and digits as published. */
const sequence = (name: string, ...elements: readonly string[]): string =>
  `<xs:complexType name="${name}"><xs:sequence>${elements.map(one => {
    const [, label = '', type = '', occurs = ''] = /^(\w+):([\w:]+)([?+]?)$/.exec(one) ?? []
    const times = { '?': ' minOccurs="0"', '+': ' maxOccurs="unbounded"' }[occurs] ?? ''
    return `<xs:element name="${label}" type="${type}"${times}/>`
  }).join('')}</xs:sequence></xs:complexType>`
const text = (name: string, lengthMax: number): string =>
  `<xs:simpleType name="${name}"><xs:restriction base="xs:string"><xs:minLength value="1"/>` +
  `<xs:maxLength value="${lengthMax}"/></xs:restriction></xs:simpleType>`
const oneOf = (name: string, ...values: readonly string[]): string =>
  `<xs:simpleType name="${name}"><xs:restriction base="xs:string">` +
  values.map(value => `<xs:enumeration value="${value}"/>`).join('') + '</xs:restriction></xs:simpleType>'

const schema = `<xs:schema xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"
 targetNamespace="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09">
<xs:element name="Document" type="Document"/>
${sequence('Document', 'CstmrCdtTrfInitn:Initiation')}
${sequence('Initiation', 'GrpHdr:GroupHeader', 'PmtInf:Payment+')}
${sequence('GroupHeader', 'MsgId:Max35', 'CreDtTm:xs:dateTime', 'NbOfTxs:Count', 'CtrlSum:Sum?',
  'InitgPty:Party')}
${sequence('Payment', 'PmtInfId:Max35', 'PmtMtd:Method', 'BtchBookg:xs:boolean?', 'NbOfTxs:Count?',
  'CtrlSum:Sum?', 'ReqdExctnDt:DateChoice', 'Dbtr:Party', 'DbtrAcct:Account', 'DbtrAgt:Agent',
  'CdtTrfTxInf:Transfer+')}
${sequence('Transfer', 'PmtId:PaymentId', 'Amt:AmountChoice', 'CdtrAgt:Agent?', 'Cdtr:Party?',
  'CdtrAcct:Account?', 'RmtInf:Remittance?')}
${sequence('PaymentId', 'InstrId:Max35?', 'EndToEndId:Max35')}
${sequence('AmountChoice', 'InstdAmt:Amount')}
${sequence('DateChoice', 'Dt:xs:date')}
${sequence('Party', 'Nm:Max140?')}
${sequence('Account', 'Id:AccountChoice', 'Ccy:Currency?')}
${sequence('AccountChoice', 'Othr:Other')}
${sequence('Other', 'Id:Max34')}
${sequence('Agent', 'FinInstnId:Institution')}
${sequence('Institution', 'ClrSysMmbId:Member')}
${sequence('Member', 'ClrSysId:System?', 'MmbId:Max35')}
${sequence('System', 'Cd:Max5')}
${sequence('Remittance', 'Ustrd:Max140')}
${text('Max5', 5)}${text('Max34', 34)}${text('Max35', 35)}${text('Max140', 140)}
${oneOf('Method', 'CHK', 'TRF', 'TRA')}
<xs:simpleType name="Currency"><xs:restriction base="xs:string"><xs:pattern value="[A-Z]{3}"/>
</xs:restriction></xs:simpleType>
<xs:simpleType name="Count"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{1,15}"/>
</xs:restriction></xs:simpleType>
<xs:simpleType name="Sum"><xs:restriction base="xs:decimal"><xs:fractionDigits value="17"/>
<xs:totalDigits value="18"/></xs:restriction></xs:simpleType>
<xs:simpleType name="Digits"><xs:restriction base="xs:decimal"><xs:minInclusive value="0"/>
<xs:fractionDigits value="5"/><xs:totalDigits value="18"/></xs:restriction></xs:simpleType>
<xs:complexType name="Amount"><xs:simpleContent><xs:extension base="Digits">
<xs:attribute name="Ccy" type="Currency" use="required"/></xs:extension></xs:simpleContent></xs:complexType>
</xs:schema>`

const faultsOf = async (xml: string): Promise<string[]> =>
  (await validateXML({ xml, schema })).errors.map(error => error.message)

t.test('payments, to the byte and to the schema', async t => {
  t.equal(writePain001(small), goldenPayments)
  t.strictSame(await faultsOf(goldenPayments), [])
  // the schema can refuse
  for (const [cut, by] of [
    ['<MsgId>CITYCARD-20260302-1</MsgId>\n', ''], ['TRF', 'TRX'], ['<Dt>2026-03-03</Dt>', '2026-03-03'],
    [' Ccy="CNY"', ''], ['5.38', '-5.38'], ['<Nm>长沙公交</Nm>', '<Nm></Nm>'],
    ['<EndToEndId>20260302-commerce-BUS</EndToEndId>', '']
  ] as const) t.not((await faultsOf(goldenPayments.replace(cut, by))).length, 0, `without ${cut}`)
})

t.test('sums of each account and of the file are those of the transfers', async t => {
  const groups = [[1n, 2n, 99n], [100n], [1_000_000_000_000n, 7n]].map((fens, group) => ({
    id: `G-${group}`, executeOn: '2026-03-03', from: { ...ours, number: `${group}` },
    transfers: fens.map((fen, index) => pay(`${group}-${index}`, fen))
  }))
  const xml = writePain001(fileOf([], { groups }))
  const told = (name: string): (string | undefined)[] =>
    [...xml.matchAll(new RegExp(`<${name}>([^<]*)<`, 'g'))].map(found => found[1])
  t.strictSame(told('NbOfTxs'), ['6', '3', '1', '2'])
  t.strictSame(told('CtrlSum'), ['10000000002.09', '1.02', '1.00', '10000000000.07'])
  t.strictSame(await faultsOf(xml), [])
})

t.test('names with what XML and banks cannot carry', async t => {
  const nameIn = (xml: string): string => /<Cdtr><Nm>([^]*?)<\/Nm>/.exec(xml)?.[1] ?? ''
  const named = (name: string): string =>
    writePain001(fileOf([pay('A', 1n, { to: { ...bus, name } })]))
  t.equal(nameIn(named('<&>"\'')), '&lt;&amp;&gt;&quot;&apos;')
  t.equal(nameIn(named(']]>')), ']]&gt;')
  t.equal(nameIn(named('a\u0000b\u0008c\u001fd\ufffee')), 'abcde')
  t.equal(nameIn(named('\ud800half\udc00')), 'half')
  t.equal(nameIn(named('𠀀'.repeat(200))), '𠀀'.repeat(140), 'the length counts characters')
  t.equal(nameIn(named('\u0007'.repeat(150) + '公交')), '公交', 'what is left out takes no room')
  for (const name of ['<&>"\'', ']]>', 'a\u0000b', '𠀀'.repeat(200), '\u0007\r\nBus', '名'.repeat(141)]) {
    t.strictSame(await faultsOf(named(name)), [], JSON.stringify(name.slice(0, 20)))
  }
  const texts = ['', '\u0000', '长'.repeat(141)]
  const transfers = texts.map((text, index) => pay(`A${index}`, 1n, { text }))
  t.strictSame(await faultsOf(writePain001(fileOf(transfers))), [], 'texts of any kind')
})

t.test('amounts at their extremes', async t => {
  const amountIn = (fen: bigint): string | undefined =>
    /Ccy="CNY">([^<]*)</.exec(writePain001(fileOf([pay('A', fen)])))?.[1]
  t.equal(amountIn(1n), '0.01')
  t.equal(amountIn(10n), '0.10')
  t.equal(amountIn(100n), '1.00')
  t.equal(amountIn(999_999_999_999_999_999n), '9999999999999999.99')
  t.strictSame(await faultsOf(writePain001(fileOf([pay('A', 999_999_999_999_999_999n)]))), [])
})

t.test('what no bank takes is not written', async t => {
  const most = 999_999_999_999_999_999n
  const to = (more: Partial<typeof bus>): PaymentFile => fileOf([pay('A', 1n, { to: { ...bus, ...more } })])
  const groupOf = (more: Partial<PaymentFile['groups'][number]>): PaymentFile['groups'][number] =>
    ({ id: 'A', executeOn: '2026-03-03', from: ours, transfers: [], ...more })
  for (const [what, file, reason] of [
    ['no transfer', fileOf([]), /without a payment/],
    ['a group of none', { ...small, groups: [...small.groups, groupOf({ id: 'B' })] }, /B.*without a payment/],
    ['nothing', fileOf([pay('A', 0n)]), /A: 0 fen/],
    ['less than nothing', fileOf([pay('A', -1n)]), /A: -1 fen/],
    ['19 digits', fileOf([pay('A', most + 1n)]), /18 digits/],
    ['19 digits together', fileOf([pay('A', most), pay('B', 1n)]), /18 digits/],
    ['one identification twice', fileOf([pay('A', 1n), pay('A', 2n)]), /A.*twice/],
    ['a long identification', fileOf([pay('A'.repeat(36), 1n)]), /identification/],
    ['an identification in two lines', fileOf([pay('A\n', 1n)]), /identification/],
    ['no identification', fileOf([pay('', 1n)]), /identification/],
    ['a message identification with a space', { ...small, messageId: 'A B' }, /identification/],
    ['no name', to({ name: '' }), /name/],
    ['a name of nothing', to({ name: '\u0000 \u0001' }), /name/],
    ['no account', to({ number: '' }), /account/],
    ['an account of 35', to({ number: '1'.repeat(35) }), /account/],
    ['no bank', to({ bankCode: '' }), /bank/],
    ['a date of words', { ...small, groups: [groupOf({ executeOn: 'soon', transfers: [pay('A', 1n)] })] },
      /soon/]
  ] as const) t.throws(() => writePain001(file), { name: 'RangeError', message: reason }, what)
})

/* ---- instructions as CSV ---- */

t.test('instructions as CSV, to the byte', async t => {
  const row = { executeOn: '2026-03-03', from: ours }
  t.equal(writeCsvInstructions([
    { ...pay('A', 538n), ...row, direction: 'pay' },
    { ...pay('B', 1n, { to: { ...shop, name: '=cmd|"x",\r\n' }, text: '-1' }), ...row, direction: 'collect' }
  ]),
  'id,direction,execute_on,amount,currency,account,name,bank,own_account,own_name,own_bank,text\r\n' +
  'A,pay,2026-03-03,5.38,CNY,430100000001,长沙公交,105551000025,6222000011112222,市民卡公司,102551000017,' +
  '2026-03-02 commerce BUS\r\n' +
  'B,collect,2026-03-03,0.01,CNY,430100000002,"\'=cmd|""x"",\r\n",105551000033,6222000011112222,市民卡公司,' +
  '102551000017,\'-1\r\n')
})

/* ---- camt.053: by hand, after the message definition ---- */

/* eslint-disable @stylistic/max-len -- a file stands as it is */
const old = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!-- an account of a bank's morning -->
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <BkToCstmrStmt>
    <GrpHdr><MsgId>M-20260303</MsgId><CreDtTm>2026-03-03T23:55:00</CreDtTm></GrpHdr>
    <Stmt>
      <Id>S-2026-062</Id>
      <ElctrncSeqNb>62</ElctrncSeqNb>
      <CreDtTm>2026-03-03T23:55:00</CreDtTm>
      <Acct><Id><IBAN>CN0000001111</IBAN></Id><Ccy>CNY</Ccy></Acct>
      <Bal>
        <Tp><CdOrPrtry><Cd>PRCD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="CNY">1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-02</Dt></Dt>
      </Bal>
      <Bal>
        <Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="CNY">1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-03</Dt></Dt>
      </Bal>
      <Bal>
        <Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="CNY">94.5</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-03-03</Dt></Dt>
      </Bal>
      <Bal>
        <Tp><CdOrPrtry><Cd>CLAV</Cd></CdOrPrtry></Tp>
        <Amt Ccy="CNY">0</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-03</Dt></Dt>
      </Bal>
      <Ntry>
        <NtryRef>1</NtryRef>
        <Amt Ccy="CNY">1200.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>
        <BookgDt><Dt>2026-03-03</Dt></BookgDt><ValDt><Dt>2026-03-03</Dt></ValDt>
        <AcctSvcrRef>BATCH-9</AcctSvcrRef>
        <BkTxCd><Prtry><Cd>BULK</Cd></Prtry></BkTxCd>
        <NtryDtls>
          <Btch><NbOfTxs>2</NbOfTxs></Btch>
          <TxDtls>
            <Refs><AcctSvcrRef>TX-1</AcctSvcrRef><EndToEndId>20260302-commerce-BUS</EndToEndId></Refs>
            <AmtDtls><TxAmt><Amt Ccy="CNY">1000.00</Amt></TxAmt></AmtDtls>
            <RltdPties><Cdtr><Nm>长沙公交</Nm></Cdtr><CdtrAcct><Id><Othr><Id>430100000001</Id></Othr></Id></CdtrAcct></RltdPties>
          </TxDtls>
          <TxDtls>
            <Refs><EndToEndId>20260302-commerce-SHP</EndToEndId></Refs>
            <AmtDtls><TxAmt><Amt Ccy="CNY">200.00</Amt></TxAmt></AmtDtls>
            <RltdPties><Cdtr><Nm><![CDATA[Shop & <Sons>]]></Nm></Cdtr></RltdPties>
          </TxDtls>
        </NtryDtls>
        <AddtlNtryInf>bulk</AddtlNtryInf>
      </Ntry>
      <Ntry>
        <Amt Ccy="CNY">77.77</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>PDNG</Sts>
        <BkTxCd><Prtry><Cd>PAY</Cd></Prtry></BkTxCd>
      </Ntry>
      <Ntry>
        <NtryRef>3</NtryRef>
        <Amt Ccy="CNY">1<!-- thousands -->05.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>true</RvslInd>
        <Sts>BOOK</Sts>
        <BookgDt><DtTm>2026-03-03T11:00:00+08:00</DtTm></BookgDt>
        <BkTxCd><Prtry><Cd>RTN</Cd></Prtry></BkTxCd>
        <NtryDtls><TxDtls>
          <Refs><EndToEndId>20260301-commerce-BUS</EndToEndId></Refs>
          <RmtInf><Ustrd>一 &amp; 二</Ustrd><Ustrd>three</Ustrd></RmtInf>
          <RtrInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>account closed</AddtlInf></RtrInf>
        </TxDtls></NtryDtls>
      </Ntry>
    </Stmt>
  </BkToCstmrStmt>
</Document>`

const oldRead: BankStatement = {
  account: 'CN0000001111', id: 'S-2026-062', sequence: 62, fromDate: '2026-03-03', toDate: '2026-03-03',
  openingFen: 100_000n, closingFen: -9_450n,
  lines: [
    {
      amountFen: -100_000n, endToEndId: '20260302-commerce-BUS', returnReason: null,
      counterparty: '430100000001', counterpartyName: '长沙公交', text: 'bulk', reference: 'TX-1',
      bookedOn: '2026-03-03'
    },
    {
      amountFen: -20_000n, endToEndId: '20260302-commerce-SHP', returnReason: null, counterparty: null,
      counterpartyName: 'Shop & <Sons>', text: 'bulk', reference: 'BATCH-9/2', bookedOn: '2026-03-03'
    },
    {
      amountFen: 10_550n, endToEndId: '20260301-commerce-BUS', returnReason: 'AC04', counterparty: null,
      counterpartyName: null, text: '一 & 二 three', reference: '3', bookedOn: '2026-03-03'
    }
  ]
}

const now = `<?xml version='1.0'?>
<c:Document xmlns:c="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><c:BkToCstmrStmt>
<c:GrpHdr><c:MsgId>M</c:MsgId><c:CreDtTm>2026-03-03T23:55:00+08:00</c:CreDtTm></c:GrpHdr>
<c:Stmt><c:Id>S1</c:Id><c:LglSeqNb>7</c:LglSeqNb>
<c:FrToDt><c:FrDtTm>2026-03-02T00:00:00+08:00</c:FrDtTm><c:ToDtTm>2026-03-03T23:59:59+08:00</c:ToDtTm></c:FrToDt>
<c:Acct><c:Id><c:Othr><c:Id>6222</c:Id></c:Othr></c:Id></c:Acct>
<c:Bal><c:Tp><c:CdOrPrtry><c:Cd>OPBD</c:Cd></c:CdOrPrtry></c:Tp><c:Amt Ccy="CNY">0.00</c:Amt><c:CdtDbtInd>CRDT</c:CdtDbtInd><c:Dt><c:Dt>2026-03-02</c:Dt></c:Dt></c:Bal>
<c:Bal><c:Tp><c:CdOrPrtry><c:Cd>CLBD</c:Cd></c:CdOrPrtry></c:Tp><c:Amt Ccy="CNY">50.00</c:Amt><c:CdtDbtInd>CRDT</c:CdtDbtInd><c:Dt><c:Dt>2026-03-03</c:Dt></c:Dt></c:Bal>
<c:Ntry><c:Amt Ccy="CNY">50.00</c:Amt><c:CdtDbtInd>CRDT</c:CdtDbtInd><c:Sts><c:Cd>BOOK</c:Cd></c:Sts>
<c:BookgDt><c:Dt>2026-03-02</c:Dt></c:BookgDt><c:AcctSvcrRef>R1</c:AcctSvcrRef><c:BkTxCd/>
<c:NtryDtls><c:TxDtls><c:Refs><c:EndToEndId>NOTPROVIDED</c:EndToEndId></c:Refs><c:Amt Ccy="CNY">50.00</c:Amt><c:CdtDbtInd>CRDT</c:CdtDbtInd>
<c:RltdPties><c:Dbtr><c:Pty><c:Nm>Agent</c:Nm></c:Pty></c:Dbtr><c:DbtrAcct><c:Id><c:IBAN>CN99</c:IBAN></c:Id></c:DbtrAcct></c:RltdPties>
</c:TxDtls></c:NtryDtls></c:Ntry>
<c:Ntry><c:Amt Ccy="CNY">0</c:Amt><c:CdtDbtInd>CRDT</c:CdtDbtInd><c:Sts><c:Cd>BOOK</c:Cd></c:Sts>
<c:BookgDt><c:Dt>2026-03-03</c:Dt></c:BookgDt><c:AcctSvcrRef>R2</c:AcctSvcrRef><c:BkTxCd/>
<c:NtryDtls>
<c:TxDtls><c:Refs><c:EndToEndId>E1</c:EndToEndId></c:Refs><c:Amt Ccy="CNY">3.00</c:Amt><c:CdtDbtInd>DBIT</c:CdtDbtInd></c:TxDtls>
<c:TxDtls><c:Refs><c:EndToEndId>E1</c:EndToEndId></c:Refs><c:Amt Ccy="CNY">3.00</c:Amt><c:CdtDbtInd>CRDT</c:CdtDbtInd><c:RtrInf><c:Rsn><c:Prtry>closed</c:Prtry></c:Rsn></c:RtrInf></c:TxDtls>
</c:NtryDtls></c:Ntry>
<c:SplmtryData><c:Envlp><x:Bank xmlns:x="urn:bank">any <x:b>words</x:b></x:Bank></c:Envlp></c:SplmtryData>
</c:Stmt></c:BkToCstmrStmt></c:Document>
`

/* eslint-enable @stylistic/max-len */

const withoutPrefix = now.replace('xmlns:c=', 'xmlns=').replace(/(<\/?)c:/g, '$1')

t.test('version 02: batch, pending, return, CDATA, comments', async t => {
  t.strictSame(readCamt053(utf8(old)), { format: 'camt.053.001.02', statements: [oldRead] })
  t.strictSame(readCamt053(utf8('\ufeff' + old)).statements, [oldRead], 'with a byte order mark')
  t.strictSame(readCamt053(utf8(old.replaceAll('\n', '\r\n'))).statements, [oldRead], 'lines end as in DOS')
})

t.test('version 08: prefixes, parties a level deeper, a batch that comes to nothing', async t => {
  const { format, statements: [statement] } = readCamt053(utf8(now))
  t.equal(format, 'camt.053.001.08')
  t.match(statement, {
    account: '6222', id: 'S1', sequence: 7, fromDate: '2026-03-02', toDate: '2026-03-03', openingFen: 0n,
    closingFen: 5000n
  })
  t.strictSame(statement?.lines.map(line => [line.reference, line.amountFen, line.endToEndId,
    line.returnReason, line.counterparty, line.counterpartyName, line.bookedOn]), [
    ['R1', 5000n, null, null, 'CN99', 'Agent', '2026-03-02'],
    ['R2/1', -300n, 'E1', null, null, null, '2026-03-03'],
    ['R2/2', 300n, 'E1', 'closed', null, null, '2026-03-03']
  ])
  t.strictSame(readCamt053(utf8(withoutPrefix)).statements, [statement], 'a default namespace says the same')
  t.strictSame(contentOf(readCamt053(utf8(withoutPrefix)).statements[0] as BankStatement),
    contentOf(statement as BankStatement))
})

t.test('a batch whose transactions are not told one by one is one line', async t => {
  for (const [cut, by] of [
    ['<AmtDtls><TxAmt><Amt Ccy="CNY">200.00</Amt></TxAmt></AmtDtls>', ''], ['>200.00<', '>199.99<']
  ] as const) {
    const [line] = readCamt053(utf8(old.replace(cut, by))).statements[0]?.lines ?? []
    t.match(line, { reference: 'BATCH-9', amountFen: -120_000n, endToEndId: null })
  }
})

t.test('only an opening balance of the day before', async t => {
  const bare = old.replace(/<Bal>\s*<Tp><CdOrPrtry><Cd>OPBD[^]*?<\/Bal>/, '')
  t.match(readCamt053(utf8(bare)).statements, [{ openingFen: 100_000n, toDate: '2026-03-03' }])
})

/** Every refusal is the reader's own, in words. */
function refused (
  test: Pick<typeof t, 'match' | 'ok'>, read: () => unknown, words: RegExp, what: string
): void {
  let said: unknown = 'nothing refused'
  try {
    read()
  } catch (error) {
    said = error
  }
  test.match(said, { name: 'BankFileError', message: words }, what)
  if (said instanceof Error) test.ok(said.message.length <= 300, `${what} in few words`)
}

t.test('what is no statement of ours is refused whole', async t => {
  const entry = '<Amt Ccy="CNY">1200.00</Amt>'
  const changes: [what: string, cut: string | RegExp, by: string, words: RegExp][] = [
    ['40 digits', entry, `<Amt Ccy="CNY">${'9'.repeat(40)}</Amt>`, /entry 1: amount “9{40}”/],
    ['three decimals', entry, '<Amt Ccy="CNY">1200.001</Amt>', /entry 1: amount “1200.001”/],
    ['negative', entry, '<Amt Ccy="CNY">-1200.00</Amt>', /entry 1: amount “-1200.00”/],
    ['nothing for nothing', entry, '<Amt Ccy="CNY">-0</Amt>', /entry 1: amount “-0”/],
    ['an exponent', entry, '<Amt Ccy="CNY">1.2E3</Amt>', /entry 1: amount/],
    ['no amount', entry, '', /entry 1: amount “”/],
    ['dollars', entry, '<Amt Ccy="USD">1200.00</Amt>', /entry 1: currency USD/],
    ['no currency', entry, '<Amt>1200.00</Amt>', /entry 1: currency missing/],
    ['a currency of somebody', entry, '<Amt xmlns:x="urn:x" x:Ccy="CNY">1200.00</Amt>', /currency missing/],
    ['a prefix that looks like one', entry, '<Amt xmlns:Ccy="CNY">1200.00</Amt>', /currency missing/],
    ['text around an element', entry, '<Amt Ccy="CNY">12<Sub/>00</Amt>', /text beside elements/],
    ['two amounts', entry, entry + '<Amt Ccy="CNY">1.00</Amt>', /entry 1: Amt twice/],
    ['two directions', '<Sts>BOOK', '<CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK', /entry 1: CdtDbtInd twice/],
    ['no direction', '<CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK', '<Sts>BOOK', /entry 1: CdtDbtInd missing/],
    ['a third direction', 'DBIT</CdtDbtInd><Sts>', 'BOTH</CdtDbtInd><Sts>', /CdtDbtInd BOTH/],
    ['no status', '<Sts>PDNG</Sts>', '', /entry 2: status missing/],
    ['an unknown status', '<Sts>PDNG</Sts>', '<Sts>MAYBE</Sts>', /entry 2: status MAYBE/],
    ['pending as booked', 'PDNG', 'BOOK', /lead to -1673 fen, it closes with -9450/],
    ['booked as pending', '<Sts>BOOK', '<Sts>PDNG', /it closes with/],
    ['a fen less', '>94.5<', '>94.49<', /it closes with -9449/],
    ['no closing balance', 'CLBD', 'CLXX', /no booked balance CLBD/],
    ['no opening balance', /OPBD|PRCD/g, 'XXXX', /no booked balance OPBD or PRCD/],
    ['two closing balances', 'CLAV', 'CLBD', /balance CLBD twice/],
    ['no account', /<Acct>.*<\/Acct>/, '<Acct/>', /Acct without Id/],
    ['an account of 200', 'CN0000001111', '1'.repeat(200), /account is longer than/],
    ['no Id', '<Id>S-2026-062</Id>', '', /without Id/],
    ['an empty Id', '<Id>S-2026-062</Id>', '<Id> </Id>', /without Id/],
    ['a reference of 5000', 'TX-1', 'A'.repeat(5000), /reference.*longer than/],
    ['a sequence of words', '>62<', '>six<', /sequence six/],
    ['13 months', '<BookgDt><Dt>2026-03-03', '<BookgDt><Dt>2026-13-03', /entry 1: date “2026-13-03”/],
    ['30 February', '<BookgDt><Dt>2026-03-03', '<BookgDt><Dt>2026-02-30', /entry 1: date “2026-02-30”/],
    ['a date by dots', '<BookgDt><Dt>2026-03-03', '<BookgDt><Dt>03.03.2026', /entry 1: date “03.03.2026”/],
    ['backwards', /(CLBD[^]*?<Dt><Dt>)2026-03-03/, '$12026-03-01', /from 2026-03-03 to 2026-03-01/],
    ['another message', /camt\.053\.001\.02/g, 'camt.052.001.02', /is no camt\.053/],
    ['another version', /camt\.053\.001\.02/g, 'camt.053.001.99', /is no camt\.053/],
    ['no namespace', / xmlns="[^"]*"/, '', /Document of “” is no/],
    ['an entry of another namespace', '<NtryRef>1', '<NtryRef xmlns="urn:x">1', /NtryRef is of “urn:x”/],
    ['a prefix of nobody', '<NtryRef>1</NtryRef>', '<q:NtryRef>1</q:NtryRef>', /XML line 28: unbound namespace/],
    ['another root', /(<\/?)Document/g, '$1Documents', /Documents of “urn.*is no/],
    ['another message inside', /(<\/?)BkToCstmrStmt/g, '$1BkToCstmrAcctRpt', /no statement/],
    ['no statement', /<Stmt>[^]*<\/Stmt>/, '', /no statement/],
    ['a statement beside it', '</Document>', '</Document><Document/>', /XML line/],
    ['words after it', '</Document>', '</Document>more', /XML line/],
    ['an open comment', '<NtryRef>1', '<!-- <NtryRef>1', /XML line/],
    ['an entity of nobody', '长沙公交', '&who;', /XML line \d+: undefined entity/],
    ['a character that is none', '长沙公交', '&#0;', /XML line/],
    ['a bell', '长沙公交', '\u0007', /XML line \d+: disallowed character/],
    ['one attribute twice', 'Ccy="CNY">1200', 'Ccy="CNY" Ccy="CNY">1200', /XML line \d+: duplicate attribute/],
    ['another encoding', 'encoding="UTF-8"', 'encoding="GB18030"', /GB18030 is not UTF-8/]
  ]
  for (const [what, cut, by, words] of changes) {
    const changed = old.replace(cut, by)
    t.not(changed, old, `${what} changes something`)
    refused(t, () => readCamt053(utf8(changed)), words, what)
  }
})

t.test('document types, entity bombs, depth, breadth', async t => {
  const typed = (type: string): Buffer => utf8(old.replace('<Document', `${type}\n<Document`))
  const bomb = '<!DOCTYPE Document [<!ENTITY a0 "ha">' +
    Array.from({ length: 30 }, (_, n) => `<!ENTITY a${n + 1} "&a${n};&a${n};">`).join('') + ']>'
  const type = /a document type is not accepted/
  refused(t, () => readCamt053(typed('<!DOCTYPE Document>')), type, 'a bare type')
  refused(t, () => readCamt053(typed('<!DOCTYPE Document SYSTEM "file:///etc/passwd">')), type, 'a file')
  refused(t, () => readCamt053(typed('<!DOCTYPE d [<!ENTITY x SYSTEM "http://localhost/">]>')), type, 'a place')
  refused(t, () => readCamt053(utf8(bomb + '<Document>&a30;</Document>')), type, 'a bomb')
  refused(t, () => readCamt053(utf8(bomb.slice(0, 500))), /XML line/, 'half a bomb')
  const deep = (depth: number): Buffer => utf8(old.replace('<NtryRef>1</NtryRef>',
    '<NtryRef>'.repeat(depth) + '</NtryRef>'.repeat(depth)))
  refused(t, () => readCamt053(deep(100_000)), /deeper than 32/, 'deep')
  refused(t, () => readCamt053(utf8('<a>'.repeat(3_000_000))), /deeper than 32/, 'deep and open')
  const wide = Array.from({ length: 17 }, (_, n) => ` a${n}=""`).join('')
  refused(t, () => readCamt053(utf8(`<Document${wide}/>`)), /more than 16 attributes/, 'wide')
})

t.test('bytes that are no text, and ten megabytes of noise', async t => {
  const notUtf8 = /not UTF-8/
  for (const [what, bytes] of [
    ['a lone start', [0xe4, 0xb8]], ['overlong', [0xc0, 0xaf]], ['half a pair', [0xed, 0xa0, 0x80]],
    ['GB18030', [0xb3, 0xa4, 0xc9, 0xb3]]
  ] as const) {
    const broken = Buffer.concat([utf8(old.slice(0, -11)), Buffer.from(bytes), utf8(old.slice(-11))])
    refused(t, () => readCamt053(broken), notUtf8, what)
    refused(t, () => readCsvStatements(Buffer.concat([utf8(csv), Buffer.from(bytes)])), notUtf8, what)
  }
  refused(t, () => readCamt053(Buffer.from('\ufeff' + old, 'utf16le')), notUtf8, 'UTF-16')
  const tenMegabytes = 10 * 1024 * 1024
  let seed = 1
  const noise = Buffer.alloc(tenMegabytes).map(() => (seed = (seed * 48_271) % 2_147_483_647) >> 8)
  const letters = Buffer.from(noise.map(byte => 0x20 + byte % 0x5f))
  const cases: [what: string, bytes: Buffer][] = [
    ['bytes', Buffer.from(noise)], ['letters', letters], ['zeros', Buffer.alloc(tenMegabytes)],
    ['spaces', Buffer.alloc(tenMegabytes, ' ')], ['quotation marks', Buffer.alloc(tenMegabytes, '"')],
    ['one open quotation', Buffer.concat([utf8('"'), Buffer.alloc(tenMegabytes, 'a')])],
    ['one cell', Buffer.concat([utf8('"'), Buffer.alloc(tenMegabytes, 'a'), utf8('"\r\n')])],
    ['commas', Buffer.alloc(tenMegabytes, ',')], ['open tags', Buffer.alloc(tenMegabytes, '<')],
    ['one tag', Buffer.concat([utf8('<'), Buffer.alloc(tenMegabytes, 'a')])], ['nothing', Buffer.alloc(0)]
  ]
  for (const [what, bytes] of cases) {
    refused(t, () => readCamt053(bytes), /./, `${what} as XML`)
    refused(t, () => readCsvStatements(bytes), /./, `${what} as CSV`)
  }
})

t.test('a file cut short is never taken', async t => {
  for (const whole of [old, now, withoutPrefix]) {
    const bytes = utf8(whole)
    const end = bytes.lastIndexOf('>')
    let taken = 0
    for (let cut = 0; cut <= end; cut++) {
      try {
        readCamt053(bytes.subarray(0, cut))
        taken++
      } catch (error) {
        if (!(error instanceof BankFileError)) throw error
      }
    }
    t.equal(taken, 0, `none of ${end} cuts`)
  }
})

/* ---- statements as CSV ---- */

const csv =
  '# of the city bank\r\n' +
  'statement,6222,S1,7,2026-03-02,2026-03-03,10.00,-0.01\r\n' +
  'line,R1,2026-03-02,-5.38,20260302-commerce-BUS,,430100000001,长沙公交,"a, ""b""\r\nc"\r\n' +
  '\r\n' +
  'line,R2,2026-03-03,-4.63,E2,AC04,,,\r\n' +
  'statement,6222,S2,,2026-03-04,2026-03-04,-0.01,-0.01\r\n' +
  'end,2,2\r\n'

t.test('statements as CSV', async t => {
  const read = readCsvStatements(utf8(csv))
  t.match(read, [
    { account: '6222', id: 'S1', sequence: 7, openingFen: 1000n, closingFen: -1n },
    { id: 'S2', sequence: null, fromDate: '2026-03-04', toDate: '2026-03-04', lines: [] }
  ])
  t.strictSame(read[0]?.lines, [
    {
      reference: 'R1', bookedOn: '2026-03-02', amountFen: -538n, endToEndId: '20260302-commerce-BUS',
      returnReason: null, counterparty: '430100000001', counterpartyName: '长沙公交', text: 'a, "b"\r\nc'
    },
    {
      reference: 'R2', bookedOn: '2026-03-03', amountFen: -463n, endToEndId: 'E2', returnReason: 'AC04',
      counterparty: null, counterpartyName: null, text: ''
    }
  ])
  t.strictSame(readCsvStatements(utf8('\ufeff' + csv)), read, 'with a byte order mark')
  t.strictSame(readCsvStatements(utf8(csv.replaceAll('\r\n', '\n')))[0]?.lines[1], read[0]?.lines[1])
  for (const [what, cut, by, words] of [
    ['40 digits', '-5.38', '5'.repeat(40), /row 3: amount “5{40}”/],
    ['three decimals', '-5.38', '-5.381', /row 3: amount “-5.381”/],
    ['a currency', '-5.38', 'CNY 5.38', /row 3: amount/],
    ['nothing', '-5.38', '0.00', /row 3: an amount of nothing/],
    ['a fen more', '-5.38', '-5.39', /lead to -2 fen, it closes with -1/],
    ['30 February', 'R1,2026-03-02', 'R1,2026-02-30', /row 3: date “2026-02-30”/],
    ['backwards', '2026-03-02,2026-03-03', '2026-03-04,2026-03-03', /from 2026-03-04 to 2026-03-03/],
    ['no reference', 'R1', '', /row 3: reference/],
    ['a reference of 5000', 'R1', 'R'.repeat(5000), /reference.*longer than/],
    ['a zero byte', '长沙公交', '长\u0000', /control character/],
    ['a column more', 'AC04,', 'AC04,,', /row 5: 10 columns where 9 belong/],
    ['a column less', 'AC04,', '', /row 5: 8 columns where 9 belong/],
    ['no account', '6222,S1', ',S1', /row 2: account or id/],
    ['a sequence of words', ',7,', ',x,', /row 2: sequence/],
    ['an unknown row', 'line,R2', 'lines,R2', /row 5: “lines” is neither/],
    ['a line first', /statement,6222,S1.*\r\n/, '', /row 2: a line before any statement/],
    ['a stray quotation mark', '长沙公交', '长"沙', /row 3: a stray quotation mark/],
    ['a lone carriage return', '长沙公交', '长\r沙', /row 3: a stray/],
    ['an open quotation', 'R2', '"R2', /row 5: a stray quotation mark/],
    ['no end', 'end,2,2\r\n', '', /no end row/],
    ['an end of more lines', 'end,2,2', 'end,2,3', /end row.*2 statements and 3 lines/],
    ['an end of more statements', 'end,2,2', 'end,3,2', /end row.*3 statements/],
    ['something after the end', 'end,2,2', 'end,2,2\r\nline,R3,2026-03-03,1.00,,,,,', /after the end row/],
    ['an unfinished end', 'end,2,2\r\n', 'end,2,2', /last row has no line end/]
  ] as const) {
    const changed = csv.replace(cut, by)
    t.not(changed, csv, `${what} changes something`)
    refused(t, () => readCsvStatements(utf8(changed)), words, what)
  }
})

/** A writer of the test's own: every cell quoted or only where it must be. */
function csvOf (statements: readonly BankStatement[], always: boolean, end: string): string {
  const cell = (value: string | null): string =>
    always || /[",\r\n]/.test(value ?? '') ? `"${(value ?? '').split('"').join('""')}"` : value ?? ''
  const yuan = (fen: bigint): string => {
    const size = fen < 0n ? -fen : fen
    return `${fen < 0n ? '-' : ''}${size / 100n}.${String(size % 100n).padStart(2, '0')}`
  }
  const rows = statements.flatMap(one => [
    ['statement', one.account, one.id, one.sequence === null ? '' : String(one.sequence), one.fromDate,
      one.toDate, yuan(one.openingFen), yuan(one.closingFen)],
    ...one.lines.map(line => ['line', line.reference, line.bookedOn, yuan(line.amountFen), line.endToEndId,
      line.returnReason, line.counterparty, line.counterpartyName, line.text])
  ])
  const lines = statements.reduce((sum, one) => sum + one.lines.length, 0)
  return [...rows, ['end', String(statements.length), String(lines)]]
    .map(row => row.map(cell).join(',') + end).join('')
}

const words = (lengthMin: number) => fc.string({
  unit: fc.constantFrom('a', '"', ',', '\r\n', '\n', '\r', '#', ' ', '长', '𠀀', '\'', '='),
  minLength: lengthMin, maxLength: 12
})
const wordsOrNull = fc.oneof(fc.constant(null), words(1))
const day = fc.integer({ min: 0, max: 3_000 })
  .map(days => new Date(Date.UTC(2024, 0, 1 + days)).toISOString().slice(0, 10))
const anyLine = fc.record({
  reference: words(1), bookedOn: day, endToEndId: wordsOrNull, returnReason: wordsOrNull,
  amountFen: fc.bigInt({ min: -1_000_000_000_000n, max: 1_000_000_000_000n }).filter(fen => fen !== 0n),
  counterparty: wordsOrNull, counterpartyName: wordsOrNull, text: words(0)
}, { noNullPrototype: true })
const anyStatement = fc.record({
  account: words(1), id: words(1), sequence: fc.oneof(fc.constant(null), fc.nat()),
  dates: fc.tuple(day, day), openingFen: fc.bigInt({ min: -10_000_000_000_000n, max: 10_000_000_000_000n }),
  lines: fc.array(anyLine, { maxLength: 5 })
}, { noNullPrototype: true }).map(({ dates, ...more }): BankStatement => {
  const [fromDate = '', toDate = ''] = [...dates].sort()
  const closingFen = more.lines.reduce((sum, line) => sum + line.amountFen, more.openingFen)
  return { ...more, fromDate, toDate, closingFen }
})
const anyStatements = fc.array(anyStatement, { minLength: 1, maxLength: 3 })

t.test('what a bank writes as CSV is what is read', async () => {
  fc.assert(fc.property(anyStatements, fc.boolean(), fc.constantFrom('\r\n', '\n'),
    (statements, always, end) => {
      deepStrictEqual(readCsvStatements(utf8(csvOf(statements, always, end))), statements)
    }), { numRuns: 300 })
})

t.test('CSV cut anywhere is never taken', async () => {
  fc.assert(fc.property(anyStatements, fc.boolean(), (statements, always) => {
    const bytes = utf8(csvOf(statements, always, '\r\n'))
    for (let cut = 0; cut < bytes.length; cut++) {
      try {
        readCsvStatements(bytes.subarray(0, cut))
      } catch (error) {
        if (error instanceof BankFileError) continue
        throw error
      }
      throw new Error(`taken when cut at ${cut} of ${bytes.length}`)
    }
  }), { numRuns: 60 })
})
