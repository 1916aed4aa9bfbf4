// The scenario language without a stack: values, errors with their lines, the published grammar, the clearing
// files as an operator writes and reads them, and the auditor's arithmetic.

import t from 'tap'
import { createCipheriv, createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import type { CardView, RecordView } from '../schemas/api.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import { explainCard, type ChipState } from '../terminal-sim/auditor/explain.ts'
import { accountCode } from '../terminal-sim/scenario/accounts.ts'
import {
  consumptionFile,
  consumptionLine,
  fileName,
  readAnswer
} from '../terminal-sim/scenario/clearing-text.ts'
import { readScenarios } from '../terminal-sim/scenario/document.ts'
import { readOptions } from '../terminal-sim/scenario/options.ts'
import { tacOf } from '../terminal-sim/scenario/tac.ts'
import { readMoment, readPercent, readYuan, showMoment, showYuan } from '../terminal-sim/scenario/values.ts'
import { docsFile, schemaFile, schemaText, withVerbList } from '../terminal-sim/scenario/verb-list.ts'
import { given, then, when } from '../terminal-sim/scenario/verbs.ts'
import { ScenarioError } from '../terminal-sim/scenario/yaml-text.ts'

const dir = mkdtempSync(join(tmpdir(), 'scenario-language-'))
t.teardown(() => rmSync(dir, { recursive: true }))
const written = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}

/** What is wrong with a file, one line each, without its folder. */
function problemsOf (text: string): string[] {
  try {
    readScenarios(written('x.yaml', text))
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error
    return error.problems.map(problem => problem.replace(/^[^:]*x\.yaml/, 'x.yaml').replace(dir, ''))
  }
  return []
}

t.test('values', async t => {
  for (const [text, fen] of [
    ['1.80', 180],
    ['-0.80', -80],
    ['+2', 200],
    ['0.07', 7],
    ['-0.00', 0],
    ['21600.00', 2_160_000]
  ] as const) {
    t.equal(readYuan(text), fen, `${text} yuan`)
  }
  for (const [fen, text] of [
    [180, '1.80'],
    [-80, '-0.80'],
    [7, '0.07'],
    [0, '0.00'],
    [-1, '-0.01'],
    [123n, '1.23']
  ] as const) {
    t.equal(showYuan(fen), text)
  }
  t.equal(readPercent('0.30 %'), 3_000)
  t.equal(readPercent('100%'), 1_000_000)
  t.equal(readPercent('0.0001 %'), 1)
  const reading = { day: '2026-03-02' }
  t.equal(readMoment('D 08:00', reading), Date.parse('2026-03-02T08:00:00+08:00'))
  t.equal(readMoment('D-2 23:59:59', reading), Date.parse('2026-02-28T23:59:59+08:00'))
  t.equal(readMoment('2026-12-31 05:00', reading), Date.parse('2026-12-31T05:00:00+08:00'))
  t.equal(showMoment(Date.parse('2026-03-01T00:00:01+08:00'), reading), 'D-1 00:00:01')
  t.equal(accountCode('BUS pending'), 'commerce/merchant-pending/BUS')
  t.equal(accountCode('HOS pending in medical'), 'medical/merchant-pending/HOS')
  t.equal(accountCode('purses'), 'commerce/purse')
  t.equal(accountCode('treasury/receivable-treasury'), 'treasury/receivable-treasury')
  t.throws(() => accountCode('BUS pendig'), /no account “BUS pendig”; allowed: .*pending/)
})

t.test('an error says file, line, what is wrong and what is allowed', async t => {
  const frame = (rest: string) => `scenario: X\nday: 2026-03-02\n${rest}`
  const deliver = (record: string) => frame(`when:\n  - deliver:\n      - ${record}\n`)
  const gallery: [why: string, text: string, ...problems: (string | RegExp)[]][] = [
    ['no YAML', 'scenario: [X', /^x\.yaml:1: .*; allowed: YAML 1\.2$/],
    [
      'a word nobody knows',
      frame('wen: []\n'),
      /^x\.yaml:3: unknown word “wen”; allowed: when, then, /,
      /does nothing/
    ],
    [
      'nothing happens',
      frame(''),
      'x.yaml:1: the scenario does nothing; allowed: when, then, acts or cases'
    ],
    ['no day', 'scenario: X\nwhen: []\nthen:\n  - accounts: { sum: 0.00 }\n', /nobody says which day is D/],
    [
      'no such day',
      'scenario: X\nday: 2026-02-30\nthen: []\n',
      /^x\.yaml:2: “2026-02-30” does not fit; allowed: a day/,
      /2: /,
      /does nothing|nobody/
    ],
    [
      'a verb misspelt',
      frame('when:\n  - delivr: []\n'),
      /^x\.yaml:4: unknown word “delivr”; allowed: deliver, /
    ],
    [
      'two verbs in a step',
      frame('when:\n  - { start: ledger, tamper: raw delivery }\n'),
      /^x\.yaml:4: a step says start and tamper; allowed: one of /
    ],
    [
      'no verb in a step',
      frame('when:\n  - at: D 08:00\n'),
      /^x\.yaml:4: a step says nothing; allowed: one of deliver, /
    ],
    [
      'a list instead of a mapping',
      frame('given:\n  - cards\n'),
      /^x\.yaml:4: a list where a mapping belongs; allowed: /,
      /nothing/
    ],
    [
      'half a fen',
      deliver('{ card: A, amount: 1.805 }'),
      'x.yaml:5: “1.805” does not fit; allowed: an amount in yuan with two decimals or none, such as 1.80'
    ],
    ['one decimal', deliver('{ card: A, amount: 1.8 }'), /“1\.8” does not fit; allowed: an amount in yuan/],
    [
      'a time without a day',
      deliver('{ card: A, at: 08:00 }'),
      /“08:00” does not fit; allowed: a day and a local time, such as D 08:00/
    ],
    ['no such hour', deliver('{ card: A, at: D 25:00 }'), /“D 25:00” does not fit/],
    [
      'a field misspelt',
      deliver('{ card: A, ammount: 1.80 }'),
      /^x\.yaml:5: unknown key “ammount”; allowed: amount, /
    ],
    [
      'a choice',
      deliver('{ card: A, tac: rong }'),
      'x.yaml:5: “rong” does not fit; allowed: valid, wrong, absent, kept'
    ],
    [
      'yes is not true',
      deliver('{ card: A, grey: yes }'),
      'x.yaml:5: “yes” does not fit; allowed: true or false'
    ],
    [
      'an empty delivery',
      frame('when:\n  - deliver: []\n'),
      /^x\.yaml:4: the list is empty; allowed: at least 1/
    ],
    [
      'something missing',
      frame('when:\n  - acknowledge: { blacklist: 57 }\n'),
      'x.yaml:4: “terminal” is missing; allowed: terminal: a terminal'
    ],
    [
      'a reason nobody gives',
      frame('when:\n  - { start: ledger, refused: because }\n'),
      /“because” does not fit; allowed: body_invalid, /
    ],
    ['a key twice', frame('given: {}\ngiven: {}\n'), /^x\.yaml:4: Map keys must be unique/],
    [
      'an account nobody keeps',
      frame('then:\n  - accounts: { "pending: BUS": 1.00 }\n'),
      /^x\.yaml:4: “pending: BUS” cannot stand here; allowed: \[PARTY \]HEADING/
    ],
    [
      'fixtures that are not there',
      frame('use: nowhere.yaml\nthen: []\n'),
      /^x\.yaml:3: .*nowhere\.yaml cannot be read/
    ],
    ['several at once', deliver('{ card: A, amount: x, at: y, tac: z }'), /5: “x”/, /5: “y”/, /5: “z”/]
  ]
  for (const [why, text, ...wanted] of gallery) {
    const problems = problemsOf(text)
    t.equal(problems.length, wanted.length, `${why}: ${problems.join(' | ')}`)
    for (const [index, one] of wanted.entries()) {
      const problem = problems[index] ?? ''
      if (typeof one === 'string') t.equal(problem, one)
      else t.match(problem, one)
    }
  }
})

t.test('a file becomes scenarios: fixtures, cases, acts, the line of every step', async t => {
  written('f.yaml', 'fixtures: F\nday: 2026-03-02\ngiven:\n  cards: { A: { balance: 1.00 } }\n')
  const file = written(
    's.yaml',
    [
      'scenario: S',
      'use: f.yaml',
      'given: { cards: { B: { balance: 2.00 } } }',
      'when:',
      '  - &first { at: D 08:00, start: ledger }',
      'cases:',
      '  - { case: one, then: [{ accounts: { sum: 0.00 } }] }',
      '  - case: two',
      '    acts:',
      '      - { act: again, when: [*first] }',
      ''
    ].join('\n')
  )
  const scenarios = readScenarios(file)
  t.same(
    scenarios.map(one => one.title),
    ['S · one', 'S · two']
  )
  const [one, two] = scenarios
  t.same(
    one?.given.map(said => said.argument),
    [{ A: { balance: 100 } }, { B: { balance: 200 } }]
  )
  t.same(
    one?.acts.map(act => [act.when.length, act.then.length]),
    [
      [1, 0],
      [0, 1]
    ]
  )
  t.match(one?.acts[1]?.then[0]?.place, /s\.yaml:7 then\[1\]$/)
  t.equal(one?.acts[0]?.when[0]?.at, Date.parse('2026-03-02T08:00:00+08:00'))
  t.equal(two?.acts[1]?.title, 'again')
  t.same(readScenarios(join(dir, 'f.yaml')), [], 'fixtures alone are no scenario')
})

t.test('the grammar is published', async t => {
  t.equal(
    readFileSync(schemaFile, 'utf8'),
    schemaText(),
    'scenario.schema.json is current; else run npx tsx terminal-sim/scenario/verb-list.ts'
  )
  const page = readFileSync(docsFile, 'utf8')
  t.equal(
    page,
    withVerbList(page),
    'docs/scenarios.md lists the verbs; else run npx tsx terminal-sim/scenario/verb-list.ts'
  )

  const validate = new Ajv({ allErrors: true, allowUnionTypes: true, strict: false }).compile(
    JSON.parse(schemaText()) as object
  )
  const folder = join(import.meta.dirname, 'scenarios')
  for (const name of readdirSync(folder).filter(name => name.endsWith('.yaml'))) {
    const scenarios = readScenarios(join(folder, name))
    const isFixtures = /^fixtures: /m.test(readFileSync(join(folder, name), 'utf8'))
    t.equal(scenarios.length === 0, isFixtures, `${name} is read`)
    t.ok(
      validate(parse(readFileSync(join(folder, name), 'utf8'))),
      `${name} fits the schema: ${JSON.stringify(validate.errors)}`
    )
  }
  t.notOk(validate({ scenario: 'X', when: [{ delivr: [] }] }), 'the schema can say no')
  t.notOk(validate({ scenario: 'X', when: [{ deliver: [{ card: 'A', tac: 'rong' }] }] }))

  const steps = {
    given: (one: string) => `given:\n  ${one}\n`,
    when: (one: string) => `when:\n  - ${one}\n`,
    then: (one: string) => `then:\n  - ${one}\n`
  }
  for (const [table, verbs] of Object.entries({ given, when, then })) {
    for (const [verb, { example }] of Object.entries(verbs)) {
      const text =
        `scenario: X\nday: 2026-03-02\n${table === 'given' ? 'then: [{ accounts: { sum: 0.00 } }]\n' : ''}` +
        steps[table as keyof typeof steps](example)
      t.same(problemsOf(text), [], `the example of ${verb}`)
      t.ok(example.startsWith(`${verb}:`), `the example of ${verb} shows ${verb}`)
    }
  }
})

t.test('the command line', async t => {
  t.same(readOptions(['a.yaml', '--shuffle', '7', '--duplicate']), {
    files: ['a.yaml'],
    passes: [{ shuffle: 7, duplicate: true }],
    json: null
  })
  t.same(readOptions(['a', '--passes', 'plain,shuffle=1+duplicate,crash=3']).passes, [
    {},
    { shuffle: 1, duplicate: true },
    { crash: 3 }
  ])
  t.same(readOptions(['a', '--seeds', '2']).passes, [
    {}, { duplicate: true }, { shuffle: 1 }, { shuffle: 2 }, { crash: 1 }, { crash: 2 }
  ])
  t.throws(() => readOptions([]), /no scenario files/)
  t.throws(() => readOptions(['a', '--shufle', '1']), /unknown option --shufle/)
  t.throws(() => readOptions(['a', '--shuffle', 'x']), /needs a seed/)
  t.throws(() => readOptions(['a', '--passes', 'both']), /cannot read “both”/)
})

const record: TransactionRecord = {
  card: { issuer: '02313750FFFFFFFF', serial: '03104990600000000001', issue: 1 },
  purse: 'ep',
  type: '06',
  counter: 101,
  balanceBeforeFen: 5_000,
  amountFen: 180,
  psam: '991000000001',
  sequence: 7,
  dateTime: '20260302073100',
  tac: '0A1B2C3D',
  grey: false,
  keyVersion: 1,
  algorithm: 0,
  operator: 'BUS',
  terminal: 'BUS-1',
  recordNo: 1,
  line: '12',
  vehicle: 'D0421'
}

t.test('a consumption file, to the character', async t => {
  const head = { industry: '02', merchant: '430400000000002', date: '20260302', sequence: 3 }
  t.equal(fileName(head), 'XF202603020243040000000000200003')
  const line = consumptionLine(record, head.merchant, 1, 101)
  t.equal(
    line,
    '00000001' +
      '430400000000002' +
      'BUS-1   ' +
      '03104990600000000001' +
      '01' +
      '00' +
      '20361231' +
      '20200101' +
      '20361231' +
      '000101' +
      '0000000007' +
      '00005000' +
      '00000180' +
      '20260302073100' +
      '06' +
      '991000000001' +
      '0A1B2C3D' +
      '00' +
      '00' +
      '0' +
      '000000' +
      '01' +
      '00' +
      '02313750FFFFFFFF' +
      '12      ' +
      'D0421   ' +
      '        '
  )
  t.equal(
    line.length,
    198 - 40 + 44,
    'an SS record without source, clearing date and cause; key version to shift behind'
  )
  const digest = createHash('sha256')
    .update(line + line)
    .digest('hex')
    .toUpperCase()
  t.equal(
    Buffer.from(consumptionFile(head, [line, line], 360, {}, 'LFCR')).toString('latin1'),
    [`XF0243040000000000220260302000030000000200000000036000000202${digest}`, line, line, ''].join('\n\r')
  )
  t.match(
    Buffer.from(consumptionFile(head, [line], 180, { count: '00000999' })).toString('latin1'),
    /^XF.{30}00000999/
  )
  const poor = consumptionLine(
    { ...record, balanceBeforeFen: -80, tac: null, grey: true },
    head.merchant,
    2,
    101
  )
  t.equal(poor.slice(95, 103), '-0000080', 'below zero')
  t.equal(poor.slice(139, 149), 'FFFFFFFF01', 'no TAC, grey')
})

t.test('the answers of the centre are read strictly', async t => {
  const filler = 'F'.repeat(24)
  const qs =
    `QS0000000100000103${filler}\n43040000000000220260302` +
    `${'00000003'}${'0000000460'}${'00000006'}${'0000001100'}${'0'.repeat(36)}${'00000001'}\n`
  t.match(readAnswer('QS', qs), [
    {
      merchant: '430400000000002',
      date: '20260302',
      confirmedCount: '00000003',
      confirmedAmount: '0000000460',
      excludedCount: '00000001'
    }
  ])
  t.same(readAnswer('QS', qs.replaceAll('\n', '\n\r')), readAnswer('QS', qs), 'LF CR')
  t.throws(
    () => readAnswer('QS', qs.replace('00000001', '00000002')),
    /says count 00000002, it should be 1/
  )
  t.throws(() => readAnswer('QS', qs.replace('00000103', '00000104')), /says length/)
  t.throws(() => readAnswer('QS', qs.replace('0000000460', '460')), /line 1 of QS is 96 long, not 103/)
  t.throws(() => readAnswer('SS', qs), /header of SS/)
  const ns = `NS020000000100000046${filler}\n20260302024304000000000020000320260302${'F'.repeat(8)}\n`
  t.match(readAnswer('NS', ns), [{ source: '202603020243040000000000200003', clearingDate: '20260302' }])
})

t.test("the TAC is that of the terminal's bytes", async t => {
  const chip = { suite: '3des', cityFactor: null } as const
  const tac = tacOf(chip, record)
  // By another route: openssl's des-ede, the card factor and its complement under the TAC master, the halves
  // of that key joined by XOR, and a CBC chain by hand over amount, type, PSAM, sequence, date and time.
  const factor = Buffer.from('4990600000000001', 'hex')
  const master = createHash('sha256').update('citycard-test-MTK').digest().subarray(0, 16)
  const key = des(master, Buffer.concat([factor, factor.map(byte => 255 - byte)]))
  const half = xor(key.subarray(0, 8), key.subarray(8))
  const message = Buffer.from(
    `000000B4${'06'}${record.psam}${'00000007'}${record.dateTime}8000000000000000`,
    'hex'
  )
  let chain: Buffer = Buffer.alloc(8)
  for (let at = 0; at + 8 <= message.length; at += 8) {
    chain = des(Buffer.concat([half, half]), xor(chain, message.subarray(at, at + 8)))
  }
  t.equal(tac, chain.subarray(0, 4).toString('hex').toUpperCase())
  t.not(tacOf(chip, { ...record, amountFen: 181 }), tac)
  t.not(tacOf(chip, { ...record, sequence: 8 }), tac)
  t.not(tacOf(chip, { ...record, dateTime: '20260302073101' }), tac)
  t.equal(
    tacOf(chip, { ...record, counter: 999, balanceBeforeFen: 1 }),
    tac,
    'it covers neither counter nor balance'
  )
})

function des (key: Uint8Array, blocks: Uint8Array): Buffer {
  const cipher = createCipheriv('des-ede', key, null)
  cipher.setAutoPadding(false)
  return cipher.update(blocks)
}
const xor = (a: Uint8Array, b: Uint8Array): Buffer =>
  Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)))

t.test('the auditor explains every fen, or says which it cannot', async t => {
  const card = record.card
  const view = (lastCounter: number, lastBalanceFen: number, shadowFen: number): CardView => ({
    card,
    type: 'anonymous',
    state: 'normal',
    blacklisted: false,
    purse: { lastCounter, lastBalanceFen, shadowFen, openItems: 0 }
  })
  const line = (
    counter: number,
    beforeFen: number,
    amountFen: number,
    outcome: RecordView['outcome'],
    reason: RecordView['reason'],
    adjusted: RecordView['adjusted'] = []
  ): RecordView => ({
    card,
    type: '06',
    counter,
    amountFen,
    balanceBeforeFen: beforeFen,
    operator: 'BUS',
    terminal: 'BUS-1',
    psam: record.psam,
    sequence: counter,
    eventAt: '2026-03-02T08:00:00+08:00',
    outcome,
    reason,
    findings: [],
    clearingDate: '2026-03-02',
    delivery: 'd',
    line: 1,
    adjusted
  })
  const accepted = { outcome: 'accepted', reason: 'ok', clearingDate: '2026-03-04' } as const
  const opening = { balanceFen: 5_000, counter: 100 }
  const cases: [
    why: string,
    chip: Omit<ChipState, 'card'>,
    view: CardView,
    lines: RecordView[],
    explained: string,
    problems: RegExp[]
  ][] = [
    [
      'one paid tap',
      { balanceFen: 4_820, counter: 101, opening },
      view(101, 4_820, 4_820),
      [line(101, 5_000, 180, 'accepted', 'ok')],
      '',
      []
    ],
    [
      'one fen less on the chip',
      { balanceFen: 4_819, counter: 101, opening },
      view(101, 4_820, 4_820),
      [line(101, 5_000, 180, 'accepted', 'ok')],
      '',
      [/held 4819 fen, the record before left 4820/, /1 fen without an explanation/]
    ],
    [
      'one fen more in the books',
      { balanceFen: 4_820, counter: 101, opening },
      view(101, 4_820, 4_821),
      [line(101, 5_000, 180, 'accepted', 'ok')],
      '',
      [/1 fen without an explanation/]
    ],
    [
      'grey, and the chip has paid',
      { balanceFen: 4_820, counter: 101, opening },
      view(100, 5_000, 5_000),
      [line(101, 5_000, 180, 'held', 'grey')],
      'held 101 180',
      []
    ],
    [
      'grey, and the chip has not',
      { balanceFen: 5_000, counter: 100, opening },
      view(100, 5_000, 5_000),
      [line(101, 5_000, 180, 'held', 'grey')],
      '',
      []
    ],
    [
      'grey, proven later',
      { balanceFen: 4_820, counter: 101, opening },
      view(101, 4_820, 4_820),
      [line(101, 5_000, 180, 'held', 'grey', [accepted])],
      '',
      []
    ],
    [
      'grey cancelled, counter used again',
      { balanceFen: 4_900, counter: 101, opening },
      view(101, 4_900, 4_900),
      [line(101, 5_000, 180, 'refused', 'grey_cancelled'), line(101, 5_000, 100, 'accepted', 'ok')],
      '',
      []
    ],
    [
      'refused to the operator, paid by the holder',
      { balanceFen: 4_820, counter: 101, opening },
      view(101, 4_820, 4_820),
      [line(101, 5_000, 180, 'refused', 'overdue')],
      '',
      []
    ],
    [
      'a wrong TAC takes nothing',
      { balanceFen: 4_820, counter: 101, opening },
      view(100, 5_000, 5_000),
      [line(101, 5_000, 180, 'refused', 'tac_wrong')],
      'refused 101 180',
      []
    ],
    [
      'the issuer paid',
      { balanceFen: 4_820, counter: 101, opening },
      view(101, 4_820, 5_000),
      [line(101, 5_000, 180, 'accepted', 'issuer_risk')],
      'issuer 101 180',
      []
    ],
    [
      'two not delivered yet',
      { balanceFen: 4_640, counter: 102, opening },
      view(100, 5_000, 5_000),
      [],
      'not delivered 102 360',
      []
    ],
    [
      'one missing in between',
      { balanceFen: 4_540, counter: 103, opening },
      view(103, 4_540, 4_640),
      [line(101, 5_000, 180, 'accepted', 'ok'), line(103, 4_720, 180, 'accepted', 'ok')],
      'not delivered 102 100',
      []
    ],
    [
      'missing, and the chip remembers another amount',
      { balanceFen: 4_820, counter: 101, opening, log: [{ counter: 101, amountFen: 200 }] },
      view(100, 5_000, 5_000),
      [],
      'not delivered 101 180',
      [/remembers 200 fen for counters 101 to 101, 180 are missing/]
    ],
    [
      'value from nowhere',
      { balanceFen: 5_100, counter: 102, opening },
      view(101, 4_820, 4_820),
      [line(101, 5_000, 180, 'accepted', 'ok')],
      'not delivered 102 -280',
      [/280 fen appeared before counter 103/]
    ]
  ]
  for (const [why, chip, ledger, lines, explained, problems] of cases) {
    const found = explainCard({ card, ...chip }, ledger, lines)
    t.equal(
      found.explanations.map(one => `${one.why} ${one.counter} ${one.amountFen}`).join(', '),
      explained,
      why
    )
    t.equal(found.problems.length, problems.length, `${why}: ${found.problems.join(' | ')}`)
    for (const [index, one] of problems.entries()) t.match(found.problems[index], one, why)
  }
})
