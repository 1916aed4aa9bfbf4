// A tap without a reader: the very bytes of a device log, every refusal of the published procedure, and a
// card that leaves at every command and comes back.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  type Answer, type Channel, type Step, channelOf, conversing, goOns, timed
} from '../gateway/pcsc/exchange.ts'
import {
  type HopFrame, type HopKind, cutAnswers, cutHop, cutSteps, hopFrame, hopKinds, hopReader, packAnswers,
  packSteps
} from '../gateway/pcsc/hop-frames.ts'
import { rideDue } from '../gateway/pcsc/fare.ts'
import { startPsam } from '../gateway/pcsc/psam.ts'
import { type Tapping, runTap } from '../gateway/pcsc/purchase.ts'
import { childLimits, openReaderChild, verdictOn } from '../gateway/pcsc/reader-child.ts'
import { isResting, next, startSession } from '../gateway/pcsc/session.ts'
import { entriesOf } from '../gateway/spool/recover.ts'
import { openSpool } from '../gateway/spool/spool.ts'
import { manualClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import { profiles } from '../schemas/epurse/profiles.ts'
import { type CardRules, type LaneConfig, type TapReason, tapReasons } from '../schemas/gateway.ts'
import { type TransactionRecord, eventContent } from '../schemas/record.ts'
import type { Fares } from '../schemas/tariff/fares.ts'
import type { Tariff } from '../schemas/tariff/tariff.ts'
import { faresFrom, firstDocument } from '../bench/fares/city.ts'
import { cardChip } from '../terminal-sim/card/card-chip.ts'
import type { CardDescription, CardReport } from '../terminal-sim/card/description.ts'
import { psamChip } from '../terminal-sim/psam/psam-chip.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { type Tear, putDown } from './support/chips-in-hand.ts'
import { recordingDisk } from './support/recording-disk.ts'
import { type Line, scripted } from './support/scripted-channel.ts'

/* ---- the device log of a T-Union bus terminal, 2019-01-08, real PSAM, test card ---- */

const file15 = '02313750FFFFFFFF 02 01 03104990600000000016 20170109 20991231 0000'
const file17 = '00000156 3600 3750 0000 CA' + '00'.repeat(49)
const emptyTrip = '06' + '00'.repeat(47)
const cardKeyOfLog = '02313750FFFFFFFF-03104990600000000016-1'
/**
 * File 1E as the table of its fields has it: single ride, 8-byte terminal, bus, 1 fen, balance after, date
 * and time.
 */
const trip = '06 0000413101210198 02 0000 0000 0000 00 00000001 0000471B 20190108151751' + '00'.repeat(16)

const startOfDay: Line[] = [
  ['P', '00B095000E', '00000000000000000001 01 00 0000 9000'],
  ['P', '00B0960006', '413101210198 9000'],
  ['P', '00A40000021001', '6A82'],
  ['P', '00A40000028011', '6F1B 8410 A0000006324D4F542E435053414D3031 A507 9F080102 9F0C00 9000'],
  ['P', '00B0970001', '01 9000']
]
const select: Line = ['C', '00A4040008 A000000632010105',
  `6F31 8408 A000000632010105 A525 9F080102 9F0C1E ${file15} 9000`]
const reads: Line[] = [
  ['C', '00B0950000', `${file15} 9000`],
  ['C', '00B0970000', `${file17} 9000`],
  ['C', '00B201F400', `${emptyTrip} 9000`]
]
const balance: Line = ['C', '805C030204', '0000471C 9000']
const init: Line = ['C', '805003020B 01 00000001 413101210198 0F', '0000471C 0059 000000 01 00 62020EC1 9000']
const sign: Line = [
  'P', '8070000024 62020EC1 0059 00000001 09 20190108151751 01 00 4990600000000016 02313750FFFFFFFF 08',
  '000001E7 B915CAE7 9000'
]
const cache: Line = ['C', `80DC00F030 ${trip}`, '9000']
const pay: Line = ['C', '805401000F 000001E7 20190108151751 B915CAE7 08', '4FE3D8DD 046BF062 9000']
const check: Line = ['P', '8072000004 046BF062', '9000']
const wholeTap: Line[] = [select, ...reads, balance, init, sign, cache, pay, check]

/* ---- a lane around them ---- */

const logMs = Date.parse('2019-01-08T15:17:51+08:00')
const tariff: Tariff = {
  version: 3,
  from: '2019-01-01T00:00:00+08:00',
  operators: { BUS: { kind: 'flat', fareFen: 2, cardFareFen: 1 } }
}
const lane: LaneConfig = {
  lane: 'BUS-1',
  readers: { card: 'BUS-1 00 00', psam: 'BUS-1 00 01' },
  operator: 'BUS',
  terminal: 'BUS-1',
  mode: 'fare'
}
type Wishes = {
  lane?: Partial<LaneConfig>, rules?: CardRules, tariff?: Tariff | null, blacklisted?: boolean
  listedCity?: boolean, fares?: Fares, passenger?: { rider: number, riders: number }
  paidAgoMs?: number, psam?: null, atMs?: number
}

async function laneOf (t: Test, lines: readonly Line[], wishes: Wishes = {}) {
  const withPsam = wishes.psam !== null
  const script = scripted(withPsam ? [...startOfDay, ...lines] : lines, message => t.fail(message))
  const atr = Uint8Array.of(0x3B)
  const started = withPsam ? await startPsam(script.psam, atr, '413101210198') : null
  const clock = manualClock(wishes.atMs ?? logMs)
  const disk = recordingDisk()
  const spool = await openSpool({ files: disk, clock })
  const states: string[] = []
  const { paidAgoMs } = wishes
  const tapping: Tapping = {
    greeting: null,
    lane: { ...lane, ...wishes.lane },
    rules: wishes.rules ?? {},
    session: startSession(state => states.push(state)),
    psam: started?.ok === true ? started.psam : null,
    spool,
    parameters: {
      tariff: () => wishes.tariff === undefined ? tariff : wishes.tariff,
      isBlacklisted: () => wishes.blacklisted === true,
      fares: () => wishes.fares ?? [],
      isListedCity: () => wishes.listedCity ?? null,
      blacklistVersion: () => 55
    },
    clock,
    charge: null,
    ...wishes.passenger === undefined ? {} : { passenger: wishes.passenger },
    paidAtMs: () => paidAgoMs === undefined ? null : clock.now() - paidAgoMs,
    sells: true,
    onRecovered: () => undefined
  }
  return { script, tapping, spool, disk, states, clock }
}

/** One card on the reader of that lane, from coming in to the word of the terminal. */
async function tapOnce ({ script, tapping }: Awaited<ReturnType<typeof laneOf>>) {
  tapping.session.signal('card_in')
  return await runTap(conversing(script.card.transmit), tapping)
}

t.test('a tariff document prices its lines, and the record tells of the ride', async t => {
  const { caps: _, ...city } = firstDocument
  const fares = faresFrom({
    ...city, from: '2019-01-01T00:00:00+08:00', version: 7,
    services: city.services.map(service => service.id === 'bus'
      ? { ...service, fare: { kind: 'flat', fullFen: 2, cardFen: 1 } }
      : service)
  })
  const passage = {
    lane: { ...lane, stop: 'X2' }, cardType: 'anonymous', atMs: logMs, rider: 1, riders: 1, memory: null
  }
  t.match(rideDue(fares, passage), { amountFen: 1, tariffVersion: 7, ride: { stop: 'X2', sense: 'either' } })
  t.match(rideDue(fares, { ...passage, cardType: 'student' }), { amountFen: 100 }, 'by the class of the card')
  t.match(rideDue(fares, { ...passage, rider: 2, riders: 3 }), { ride: { rider: 2, riders: 3 } })
  t.equal(rideDue(fares, { ...passage, lane: { ...lane, line: 'S1' } }), 'no_tariff',
    'a section fare depends on where the card came from')
  t.equal(rideDue(fares, { ...passage, lane: { ...lane, operator: 'SHP' } }), null)
  t.equal(rideDue(fares, { ...passage, atMs: Date.parse('2018-01-01T00:00:00+08:00') }), null)

  const passenger = { rider: 2, riders: 2 }
  const noMemory: Line = ['C', '00B201D400', '6A83']
  const withoutMemory = [select, ...reads, noMemory, ...wholeTap.slice(1 + reads.length)]
  const all = await laneOf(t, withoutMemory, { tariff: null, fares, lane: { stop: 'X2' }, passenger })
  t.match(await tapOnce(all), { reason: 'paid', amountFen: 1 }, 'no flat tariff is wanted')
  const batch = await all.spool.nextBatch(10, () => 'GW1-0001')
  t.match(batch === null ? null : all.spool.recordsOf(batch)[0]?.record,
    { tariffVersion: 7, ride: { stop: 'X2', sense: 'either', rider: 2, riders: 2 } })
})

t.test('the device log, byte for byte and in its order', async t => {
  const all = await laneOf(t, wholeTap)
  const result = await tapOnce(all)
  t.same(result, { reason: 'paid', card: cardKeyOfLog, amountFen: 1, balanceAfterFen: 0x471b })
  t.equal(all.script.left(), 0, 'every line of the log was needed')
  t.same(all.states, ['reading', 'signing', 'debiting', 'recording', 'approved'])

  const batch = await all.spool.nextBatch(10, () => 'GW1-0001')
  const [first, ...more] = batch === null ? [] : all.spool.recordsOf(batch)
  t.same(more, [])
  t.same(first?.record, {
    card: { issuer: '02313750FFFFFFFF', serial: '03104990600000000016', issue: 1 },
    purse: 'ep',
    type: '09',
    counter: 0x5a,
    balanceBeforeFen: 0x471c,
    amountFen: 1,
    psam: '413101210198',
    sequence: 0x1e7,
    dateTime: '20190108151751',
    tac: '4FE3D8DD',
    grey: false,
    keyVersion: 1,
    algorithm: 0,
    operator: 'BUS',
    terminal: 'BUS-1',
    recordNo: 1,
    tariffVersion: 3,
    blacklistVersion: 55
  })
  t.equal(all.spool.openIntents().length, 0)
})

t.test('the intent is on disk before the debit leaves, the record before the gate opens', async t => {
  const all = await laneOf(t, wholeTap)
  const onDisk = () => [...all.disk.image.values()].join('')
  const synced = () => all.disk.operations.filter(one => one.kind === 'sync').length
  let before = { intent: false, syncs: 0 }
  const watched = channelOf(async command => {
    if (command[1] === 0x54) before = { intent: onDisk().includes('"mac1":"B915CAE7"'), syncs: synced() }
    return all.script.card.transmit(command)
  })
  const syncsAtStart = synced()
  all.tapping.session.signal('card_in')
  await runTap(watched, all.tapping)
  t.same(before, { intent: true, syncs: syncsAtStart + 1 })
  t.match(onDisk(), '"tac":"4FE3D8DD"')
  t.equal(synced() - syncsAtStart, 2, 'two flushes in a tap')
})

t.test('T=0 chips: 61xx is fetched, 6Cxx is asked again with the right length', async t => {
  const lines: Line[] = [
    ['C', '00A4040008 A000000632010105', '6133'],
    ['C', '00C0000033', select[2]],
    ['C', '00B0950000', '6C1E'], ['C', '00B095001E', `${file15} 9000`],
    ['C', '00B0970000', '6C3C'], ['C', '00B097003C', `${file17} 9000`],
    ['C', '00B201F400', '6C30'], ['C', '00B201F430', `${emptyTrip} 9000`],
    balance,
    ['C', init[1], '610F'], ['C', '00C000000F', init[2]],
    sign, cache,
    ['C', pay[1], '6108'], ['C', '00C0000008', pay[2]],
    check
  ]
  const all = await laneOf(t, lines)
  t.match(await tapOnce(all), { reason: 'paid' })
  t.equal(all.script.left(), 0)
})

/* ---- refusals ---- */

const after = (...lines: Line[]): Line[] => [select, ...reads, ...lines]
const with15 = (text: string): Line[] => [select, ['C', '00B0950000', `${text} 9000`], ...reads.slice(1)]
const answering = (line: Line, answer: string): Line => [line[0], line[1], answer]
const unionName: Line = ['C', '00A4040009 A00000000386980701', '6A82']

const empty = answering(balance, '00000000 9000')
const dated = (from: string, to: string) => with15(file15.replace('20170109', from).replace('20991231', to))
const neither = [answering(select, '6A82'), unionName]

/** What the card or the lane is like, what is said, what is exchanged. */
const refusals: [card: string, reason: TapReason, lines: Line[], wishes?: Wishes][] = [
  ['locked, 6A81 on select', 'card_locked', [answering(select, '6A81')]],
  ['locked, 6283 on select', 'card_locked', [answering(select, '6283')]],
  ['locked, 6284 on select', 'card_locked', [answering(select, '6284')]],
  ['locked for ever, 9303 on select', 'card_locked', [answering(select, '9303')]],
  ['neither T-Union nor city union', 'card_unsupported', neither],
  ['file 0015 too short', 'card_unreadable', with15('0231')],
  ['not enabled', 'card_disabled', with15(file15.replace('02 01 0310', '02 00 0310'))],
  ['starts tomorrow', 'card_not_started', dated('20190109', '20991231')],
  ['starts today, and is empty', 'insufficient_funds', [...dated('20190108', '20991231'), empty]],
  ['expired yesterday', 'card_expired', dated('20170109', '20190107')],
  ['expires today, and is empty', 'insufficient_funds', [...dated('20170109', '20190108'), empty]],
  ['issuer not on the white list', 'issuer_not_accepted', after(), { rules: { acceptedIssuers: ['0431'] } }],
  ['local card of another city', 'card_local_only', after(), { rules: { homeIssuers: ['0431'] } }],
  ['of a city that left the list', 'issuer_not_accepted', after(),
    { rules: { homeIssuers: ['0431'] }, listedCity: false }],
  ['of a listed city, for its own use only', 'card_local_only', after(),
    { rules: { homeIssuers: ['0431'] }, listedCity: true }],
  ['on the blacklist', 'blacklisted', after(), { blacklisted: true }],
  ['paid here 5 s ago', 'tapped_twice', after(), { paidAgoMs: 5_000 }],
  ['no tariff held', 'no_tariff', after(), { tariff: null }],
  ['no tariff for this operator', 'no_tariff', after(), { lane: { operator: 'MET' } }],
  ['till asks for nothing', 'no_charge', after(), { lane: { mode: 'till' } }],
  ['empty', 'insufficient_funds', after(empty)],
  ['too little: 9401 at INITIALIZE', 'insufficient_funds', after(balance, answering(init, '9401'))],
  ['counter at its end: 9402', 'card_worn_out', after(balance, answering(init, '9402'))],
  ['key index unknown: 9403', 'key_unsupported', after(balance, answering(init, '9403'))],
  ['PSAM refuses to sign', 'psam_refused', after(balance, init, answering(sign, '6985'))],
  ['PSAM is gone at signing', 'psam_unavailable', after(balance, init, answering(sign, ''))],
  ['trip record refused', 'card_refused', after(balance, init, sign, answering(cache, '6985'))],
  ['debit refused: 9302', 'card_refused', after(balance, init, sign, cache, answering(pay, '9302'))],
  ['no PSAM', 'psam_unavailable', [], { psam: null }]
]

t.test('every refusal, its reason, and no money moved', async t => {
  for (const [card, reason, lines, wishes] of refusals) {
    const all = await laneOf(t, lines, wishes)
    const result = await tapOnce(all)
    t.match(result, { reason }, card)
    t.equal(tapReasons[result?.reason ?? 'paid'].outcome, 'declined', `${card}: declined`)
    t.equal(all.script.left(), 0, `${card}: nothing is left unasked`)
    t.same(all.spool.openIntents(), [], `${card}: nothing stays open`)
    t.equal(all.spool.status().depth, 0, `${card}: no record`)
    t.equal(all.tapping.session.state(), 'declined')
  }
})

t.test('the order of the refusals: the first that applies names the tap', async t => {
  const stranger: CardRules = { acceptedIssuers: ['0431'], homeIssuers: ['0431'] }
  const abroad: CardRules = { homeIssuers: ['0431'] }
  const worst = { blacklisted: true, paidAgoMs: 1, tariff: null }
  const disabled = (line: Line): Line => [line[0], line[1], line[2].replace('02 01 0310', '02 00 0310')]
  const expired = '20180107'
  const order: [TapReason, Line[], Wishes][] = [
    ['card_disabled', dated('20190109', expired).map(disabled), { ...worst, rules: stranger }],
    ['card_not_started', dated('20190109', expired), { ...worst, rules: stranger }],
    ['card_expired', dated('20170109', expired), { ...worst, rules: stranger }],
    ['issuer_not_accepted', after(), { ...worst, rules: stranger }],
    ['card_local_only', after(), { ...worst, rules: abroad }],
    ['blacklisted', after(), worst],
    ['tapped_twice', after(), { ...worst, blacklisted: false }],
    ['no_tariff', after(), { tariff: null }]
  ]
  for (const [reason, lines, wishes] of order) {
    t.match(await tapOnce(await laneOf(t, lines, wishes)), { reason }, reason)
  }
})

t.test('five seconds and a millisecond later the same card pays again', async t => {
  t.match(await tapOnce(await laneOf(t, wholeTap, { paidAgoMs: 5_001 })), { reason: 'paid' })
})

t.test('PSAM start of day: refused where the terminal number differs', async t => {
  const script = scripted(startOfDay.slice(0, 2), message => t.fail(message))
  const started = await startPsam(script.psam, Uint8Array.of(0x3B), '990000000001')
  t.match(
    started,
    { ok: false, final: true, why: 'terminal number 413101210198, 990000000001 is configured for this lane' }
  )
  t.match(await startPsam(script.psam, new Uint8Array(0), undefined), { ok: false, why: 'no ATR' })
})

t.test('what a PSAM has selected is believed only after a good answer', async t => {
  const [a, b] = [profiles['t-union'], profiles['cjt166-auth']]
  const start: Line[] = [
    ...startOfDay.slice(0, 2), ['P', '00A40000021001', '9000'], ['P', '00B0970001', '02 9000'],
    ...startOfDay.slice(3)
  ]
  const selectA: Line = ['P', '00A40000028011', '9000']
  const selectB: Line = ['P', '00A40000021001', '9000']
  const code = '85 0011223300112233'
  const auth = (sw: string): Line => ['P', `80CA000009 ${code}`, sw]
  const asked = '62020EC1 0059 00000001 09 20190108151751 01 00'
  const init = (answer: string): Line =>
    ['P', `8070000024 ${asked} 4990600000000016 02313750FFFFFFFF 08`, answer]
  const good = '000001E7 B915CAE7 9000'
  const initB = (answer: string): Line =>
    ['P', `807000001C ${asked} 4990600000000016 08`, answer]
  const rows: readonly (readonly [what: string, lines: readonly Line[], order: string, said: string])[] = [
    ['the code of a card is refused', [selectB, auth('6985'), selectA, init(good)], 'BA', 'refused signed'],
    ['a select is refused', [['P', '00A40000021001', '6A82'], selectA, init(good)], 'BA', 'refused signed'],
    ['a select is lost', [['P', '00A40000021001', ''], selectA, init(good)], 'BA', 'lost signed'],
    ['a signature is refused', [init('6985'), selectA, init(good)], 'AA', 'refused signed'],
    ['one after the other',
      [init(good), selectB, auth('9000'), initB(good), auth('9000'), initB(good), selectA, init(good)],
      'ABBA', 'signed signed signed signed']
  ]
  for (const [what, lines, order, said] of rows) {
    const script = scripted([...start, ...lines], message => t.fail(`${what}: ${message}`))
    const started = await startPsam(script.psam, Uint8Array.of(0x3B), '413101210198')
    if (!started.ok) throw new Error(started.why)
    const kinds: string[] = []
    for (const one of order) {
      const { kind } = await started.psam.sign({
        profile: one === 'A' ? a : b,
        init: {
          balanceFen: 0, overdraftFen: 0, counter: 0x59, keyVersion: 1, algorithm: 0,
          rand4: unhex('62020EC1')
        },
        amountFen: 1, type: 9, dateTime: unhex('20190108151751'),
        factors: ['4990600000000016', ...one === 'A' ? ['02313750FFFFFFFF'] : []].map(unhex),
        authCode: one === 'A' ? null : unhex(code.replace(' ', ''))
      })
      kinds.push(kind)
    }
    t.equal(kinds.join(' '), said, what)
    t.equal(script.left(), 0, what)
  }
})

t.test('the table: the card may leave in every state, and every state can be left', async t => {
  for (const [state, row] of Object.entries(next)) {
    t.ok(row.card_out !== undefined, `${state}: the card leaves`)
    t.ok(Object.values(row).some(to => to !== state), `${state} is no dead end`)
  }
  t.same(
    Object.keys(next).filter(state => isResting(state as keyof typeof next)),
    ['idle', 'approved', 'declined', 'torn']
  )
  t.throws(() => startSession().signal('debited'), /the lane is idle: there is no row for debited/)
})

/* ---- a card that leaves and comes back: virtual chips of every family ---- */

const issuer = '02313750FFFFFFFF'
const fareFen = 180
const families: { name: string, card: CardDescription, rules?: CardRules, type: '06' | '09' }[] = [
  { name: 't-union', card: { profile: 't-union', issuer, serial: '03104990600000000016' }, type: '09' },
  {
    name: 't-union, simple',
    card: { profile: 't-union', issuer, serial: '03104990600000000024' },
    rules: { profiles: { 't-union': { purchase: 'simple' } } },
    type: '06'
  },
  { name: 'city union', card: { profile: 'cjt166', issuer, serial: '00990000000012345678' }, type: '09' },
  {
    name: 'city union with code',
    card: { profile: 'cjt166-auth', issuer, serial: '00990000000012345686', authCode: '850011223300112233' },
    type: '09'
  },
  { name: 'bank, simple', card: { profile: 'pboc', issuer, serial: '00990000000012345694' }, type: '06' }
]

type LaneName = 'A' | 'B' | 'X' | 'free'
type OnPsam = (channel: Channel) => Channel

/**
 * Two gateways: lanes A and B of one, X and a free ride of another; one card that is carried between them.
 */
async function city ({ card: description, rules = {} }: typeof families[number]) {
  const random = createRandom('session')
  const card = cardChip({ balanceFen: 1_000, offlineCounter: 41, ...description }, random.fork('card'))
  const clock = manualClock(Date.parse('2026-03-02T08:00:00+08:00'))
  const prices: Tariff = {
    version: 1,
    from: '2026-01-01T00:00:00+08:00',
    operators: {
      BUS: { kind: 'flat', fareFen: 200, cardFareFen: fareFen },
      FREE: { kind: 'flat', fareFen: 0, cardFareFen: 0 }
    }
  }
  const disks = { own: recordingDisk(), other: recordingDisk() }
  const spools = {
    own: await openSpool({ files: disks.own, clock }), other: await openSpool({ files: disks.other, clock })
  }
  /** What the chip signed, by counter. */
  const tacs = new Map<number, string>()
  const psams = new Map(['A', 'B', 'X', 'free'].map((name, index) =>
    [name, psamChip({ profile: description.profile, terminal: `99000000000${index + 1}` })]))

  async function tap (at: LaneName, tear: Tear | null = null, onPsam: OnPsam = channel => channel) {
    clock.advance(60_000)
    const psam = psams.get(at)
    if (psam === undefined) throw new Error(`no lane ${at}`)
    const started = await startPsam(conversing(onPsam(putDown(psam).channel).transmit), psam.atr, undefined)
    if (!started.ok) throw new Error(started.why)
    const session = startSession()
    session.signal('card_in')
    const hand = putDown(card, tear)
    const result = await runTap(conversing(hand.channel.transmit), {
      greeting: null,
      lane: { ...lane, lane: at, terminal: `T-${at}`, operator: at === 'free' ? 'FREE' : 'BUS' },
      rules,
      session,
      psam: started.psam,
      spool: at === 'X' || at === 'free' ? spools.other : spools.own,
      parameters: {
        tariff: () => prices, fares: () => [], isBlacklisted: () => false, isListedCity: () => null,
        blacklistVersion: () => null
      },
      clock,
      charge: null,
      paidAtMs: () => null,
      sells: true,
      onRecovered: () => undefined
    })
    const { proof } = card.report()
    if (proof !== null) tacs.set(proof.counter, proof.tac)
    return { reason: result?.reason, ...hand }
  }
  const restart = async () => {
    spools.own = await openSpool({ files: recordingDisk(disks.own.image), clock })
  }
  const records = () => [spools.own, spools.other].flatMap(spool => spool.recordsOf({
    delivery: '', from: 1, to: Number.MAX_SAFE_INTEGER, count: 1_000, redelivery: false
  })).map(one => one.record)
  /** Why open payments were closed without a record, by the own gateway. */
  const closings = () => [...disks.own.image.values()].flatMap(entriesOf)
    .flatMap(entry => entry.type === 'void' ? [entry.payload.why] : [])
  return { card, tap, restart, records, closings, tacs, open: () => spools.own.openIntents() }
}

/**
 * What the chip has done and what the spools tell must be the same story; what is wrong with it, or null.
 * `grey`: the counter whose debit the chip cannot prove any more, because it was used elsewhere since.
 */
function difference (
  report: CardReport, records: readonly TransactionRecord[], grey: number | null
): string | null {
  const debits = (1_000 - report.purse.balanceFen) / fareFen
  if (debits !== report.purse.offlineCounter - 41) {
    return `${debits} fares, counter ${report.purse.offlineCounter}`
  }
  const told = records.filter(record => !record.grey || record.counter === grey)
  const log = report.log.map(one => `${one.counter} ${one.amountFen} ${one.terminal} ${one.date}${one.time}`)
  const spooled = told.map(one => `${one.counter} ${one.amountFen} ${one.psam} ${one.dateTime}`)
  if (log.sort().join() !== spooled.sort().join()) {
    return `the chip's log is ${log}, the records are ${spooled}`
  }
  const last = told.find(record => record.counter === report.proof?.counter)
  if (report.proof !== null && last?.tac !== report.proof.tac) {
    return `TAC ${last?.tac}, the chip has ${report.proof.tac}`
  }
  const contents = new Set(records.map(record => Buffer.from(eventContent(record)).toString('hex')))
  const events = new Set(records.map(record => `${record.psam} ${record.sequence}`))
  return contents.size === events.size ? null : 'a record that completes a grey one says something else'
}

const stories = ['same lane', 'other lane', 'after a restart', 'used elsewhere'] as const

/** One card torn once, then the story, then a last tap that must be as if nothing had been. */
async function tornStory (
  family: typeof families[number], tear: Tear, debitSent: boolean, story: typeof stories[number]
) {
  const { card, tap, restart, records, closings, open } = await city(family)
  const first = await tap('A', tear)
  const openAfter = open().length
  if (story === 'after a restart') await restart()
  if (story === 'used elsewhere') await tap('X')
  const second = await tap(story === 'other lane' ? 'B' : 'A')
  const third = await tap('A')
  const unproven = story === 'used elsewhere' && debitSent && tear.commit === 'after' ? 42 : null
  return {
    first: tapReasons[first.reason ?? 'paid'].outcome,
    open: openAfter,
    second: second.reason,
    third: third.reason,
    fares: (1_000 - card.report().purse.balanceFen) / fareFen,
    openAtLast: open().length,
    closings: debitSent ? closings() : [],
    difference: difference(card.report(), records(), unproven)
  }
}

/** How the gateway closed what was left open, where that was not by a record. */
function closingsOf (debitSent: boolean, paid: boolean, story: typeof stories[number]): string[] {
  if (!debitSent) return []
  if (story === 'used elsewhere') return ['unprovable']
  return paid ? [] : ['not_debited']
}

t.test('torn at every command of every family, and back: one fare, one whole record', async t => {
  let torn = 0
  for (const family of families) {
    const { tap: probe } = await city(family)
    const { reason, commands } = await probe('A')
    t.equal(reason, 'paid', `${family.name}: pays`)
    t.equal(
      commands.some(command => command.startsWith('805003')), family.type === '09', `${family.name}: form`
    )
    for (const [at, command] of commands.entries()) {
      for (const commit of ['before', 'after'] as const) {
        for (const story of stories) {
          const debitSent = command.startsWith('8054')
          const paid = debitSent && commit === 'after'
          const counts = paid && (story === 'same lane' || story === 'after a restart')
          const expected = {
            first: debitSent ? 'unknown' : 'declined',
            open: debitSent ? 1 : 0,
            second: counts ? 'paid_before' : 'paid',
            third: 'paid',
            fares: 2 + (paid && !counts ? 1 : 0) + (story === 'used elsewhere' ? 1 : 0),
            openAtLast: 0,
            closings: closingsOf(debitSent, paid, story),
            difference: null
          }
          const found = await tornStory(family, { at, commit }, debitSent, story)
          torn += 1
          if (JSON.stringify(found) !== JSON.stringify(expected)) {
            t.same(found, expected, `${family.name}, ${command.slice(0, 8)}, ${commit} the commit, ${story}`)
          }
        }
      }
    }
  }
  t.ok(torn > 300, `${torn} stories`)
})

/** The PSAM's answer to commands that begin like this is lost, or another. */
const psamFails = (beginning: number[], sw: number | null): OnPsam => channel => channelOf(async command => {
  if (!beginning.every((byte, index) => command[index] === byte)) return await channel.transmit(command)
  return sw === null ? { kind: 'unknown', why: 'pulled' } : { kind: 'answer', data: new Uint8Array(0), sw }
})

t.test('the PSAM fails on the way', async t => {
  for (const family of families) {
    const lost = await city(family)
    t.equal((await lost.tap('A', null, psamFails([0x80, 0x70], null))).reason, 'psam_unavailable')
    t.same(lost.records(), [], `${family.name}: pulled at signing, nothing happened`)
    t.equal((await lost.tap('A', null, psamFails([0x80, 0x72], null))).reason, 'psam_lost')
    t.match(
      lost.records(), [{ grey: false, counter: 42 }],
      `${family.name}: pulled after the debit, the record is whole`
    )
    t.equal((await lost.tap('A')).reason, 'paid_before', 'the same card again: nothing more is debited')
    t.equal(difference(lost.card.report(), lost.records(), null), null, 'and nothing is told twice')
    t.equal((await lost.tap('A')).reason, 'paid')

    const fake = await city(family)
    t.equal((await fake.tap('A', null, psamFails([0x80, 0x72], 0x9302))).reason, 'mac2_wrong')
    t.equal(
      (await fake.tap('A')).reason, 'paid', `${family.name}: a card that could not prove itself pays anew`
    )
    t.equal(difference(fake.card.report(), fake.records(), null), null)
  }
})

t.test('an equal balance proves nothing where the counter has moved', async t => {
  for (const family of families) {
    const { commands } = await (await city(family)).tap('A')
    const { tap, closings } = await city(family)
    const debitAt = commands.findIndex(command => command.startsWith('8054'))
    t.equal((await tap('A', { at: debitAt, commit: 'before' })).reason, 'torn')
    for (const ride of [1, 2]) {
      t.equal((await tap('free')).reason, 'paid', `${family.name}: free ride ${ride} elsewhere`)
    }
    t.equal((await tap('A')).reason, 'paid')
    t.same(closings(), ['unprovable'])
  }
})

t.test('the next terminal tells what the chip remembers of a debit whose end another never saw', async t => {
  for (const family of families) {
    const asking = { ...family, rules: { ...family.rules, tellsLastTac: true } }
    const { commands } = await (await city(asking)).tap('A')
    const { tap, tacs, records } = await city(asking)
    const debitAt = commands.findIndex(command => command.startsWith('8054'))
    t.equal((await tap('A', { at: debitAt, commit: 'after' })).reason, 'torn')
    t.equal((await tap('X')).reason, 'paid', `${family.name}: elsewhere`)
    const told = new Map(records().map(({ counter, lastTac }) => [counter, lastTac]))
    t.equal(told.get(42), undefined, 'the first debit of a chip has none before it')
    t.match(tacs.get(42), /^[0-9A-F]{8}$/)
    t.equal(told.get(43), tacs.get(42), `${family.name}: the TAC that the chip had made`)
  }
})

t.test('a card that leaves again while it proves its payment', async t => {
  for (const family of families) {
    const { commands } = await (await city(family)).tap('A')
    const debitAt = commands.findIndex(command => command.startsWith('8054'))
    for (const commit of ['before', 'after'] as const) {
      const probe = await city(family)
      await probe.tap('A', { at: debitAt, commit })
      const back = await probe.tap('A')
      for (let at = 0; at < back.commands.length; at++) {
        const { card, tap, records } = await city(family)
        await tap('A', { at: debitAt, commit })
        await tap('A', { at, commit: 'after' })
        const last = await tap('A')
        const why = difference(card.report(), records(), null)
        if (why !== null) t.fail(`${family.name}, ${commit}, ${back.commands[at]?.slice(0, 8)}: ${why}`)
        const fares = (1_000 - card.report().purse.balanceFen) / fareFen
        if (fares > 2 || (fares === 2 && last.reason !== 'paid')) {
          t.fail(`${fares} fares, then ${last.reason}`)
        }
      }
    }
    t.pass(family.name)
  }
})

t.test('any walk of a card through the city, torn anywhere: nothing lost, nothing invented', async t => {
  const step = fc.record({
    at: fc.constantFrom<LaneName>('A', 'A', 'B', 'X'),
    tear: fc.option(
      fc.record({ at: fc.nat(14), commit: fc.constantFrom<Tear['commit']>('before', 'after') })
    ),
    restart: fc.boolean()
  })
  const walk = fc.record({ family: fc.constantFrom(...families), steps: fc.array(step, { maxLength: 8 }) })
  await fc.assert(fc.asyncProperty(walk, async ({ family, steps }) => {
    const { card, tap, restart, records, tacs } = await city({
      ...family, card: { ...family.card, balanceFen: 5_000 }
    })
    for (const { at, tear, restart: again } of steps) {
      await tap(at, tear)
      if (again) await restart()
    }
    await tap('A')
    const key = (psam: string, counter: number, dateTime: string) => `${psam} ${counter} ${dateTime}`
    const debits = new Set(card.report().log.map(one => key(one.terminal, one.counter, one.date + one.time)))
    const told = records().map(one => ({ ...one, key: key(one.psam, one.counter, one.dateTime) }))
    const whole = told.filter(one => !one.grey)
    return [...debits].every(debit => told.some(one => one.key === debit)) && // every debit is told
      whole.every(one => debits.has(one.key)) && // only debits are told as such
      whole.every(one => tacs.get(one.counter) === one.tac) && // with the TAC of the chip
      new Set(whole.map(one => one.key)).size === whole.length // each once
  }), { numRuns: 300 })
})

t.test('a relay: what one chip answered, in the command to another, within one errand', async t => {
  const told: string[] = []
  const onPsam: Line[] = [['P', '80 FF 00 A1A2 00 B1', '9000']]
  const { card, psam } = scripted([
    ['C', '80 01', 'B1 00 A1A2 9000'], ...onPsam, ['C', '80 02', '00 9000']
  ], message => t.fail(message))
  const copies = [{ from: 2, length: 2, to: 3 }, { from: 0, length: 1, to: 6 }]
  const relay = (to: Channel): Step => ({
    command: unhex('80FF0000000000'), goOn: 'always', relay: { to, copies }
  })
  const first: Step = { command: unhex('8001'), goOn: 'if_ok' }
  t.match(await card.run([first, relay(psam)]), [{ sw: 0x9000 }, { sw: 0x9000, data: { length: 0 } }])
  t.equal((await card.run([{ ...first, command: unhex('8002') }, relay(psam)])).length, 1,
    'one byte is no answer to copy three from: nothing is sent')

  let clockMs = 0
  const card2 = timed({
    ...channelOf(async () => ({ kind: 'unknown', why: 'unused' })),
    // As a process of readers does: the answer is there, and the other chip hears how long it took.
    run: async steps => {
      clockMs += 10
      for (const { command, relay } of steps) relay?.to.heard?.(command, { kind: 'unknown', why: 'gone' }, 4)
      return []
    }
  }, () => clockMs, ms => { told.push(`card ${ms}`) })
  const psam2 = timed(psam, () => clockMs, ms => { told.push(`psam ${ms}`) })
  await card2.run([first, relay(psam2)])
  t.same(told, ['psam 4', 'card 6'], 'the time of each is its own')
})

/* ---- the process of the readers: its frames, and when it must go ---- */

t.test('frames to the process of the readers: whole, in pieces, glued', t => {
  t.equal(Buffer.from(hopFrame('run', 7, 0x01020304, Uint8Array.of(0x80, 0x5C))).toString('hex'),
    '000203000000070102030480' + '5c', 'length 2, kind 1, number 4, value 4, bytes')
  const kinds = Object.keys(hopKinds) as HopKind[]
  t.equal(new Set(Object.values(hopKinds).map(({ code }) => code)).size, kinds.length, 'no code twice')
  const word = fc.integer({ min: 0, max: 0xffff_ffff })
  const frames = fc.array(fc.record({
    kind: fc.constantFrom(...kinds), number: word, value: word, bytes: fc.uint8Array({ maxLength: 300 })
  }), { maxLength: 6 })
  fc.assert(fc.property(frames, fc.integer({ min: 1, max: 40 }), (sent, piece) => {
    const bytes = Buffer.concat(sent.map(one => hopFrame(one.kind, one.number, one.value, one.bytes)))
    const taken: HopFrame[] = []
    const take = hopReader(frame => { taken.push(frame) })
    for (let at = 0; at < bytes.length; at += piece) take(bytes.subarray(at, at + piece))
    return JSON.stringify(taken) === JSON.stringify(sent)
  }), { numRuns: 1_000 })
  t.throws(() => cutHop(new Uint8Array(11)), /no frame: kind 0/)
  const steps = fc.array(fc.record({
    command: fc.uint8Array({ maxLength: 261 }), goOn: fc.constantFrom(...goOns)
  }))
  fc.assert(fc.property(steps, sent => JSON.stringify(cutSteps(packSteps(sent))) === JSON.stringify(sent)))
  const plain = (answer: Answer) => answer.kind === 'unknown' ? answer.why : [answer.sw, answer.data]
  const answers = fc.array(fc.oneof(
    fc.record({
      kind: fc.constant('answer' as const),
      sw: fc.integer({ min: 0, max: 0xffff }),
      data: fc.uint8Array({ maxLength: 256 })
    }),
    fc.record({ kind: fc.constant('unknown' as const), why: fc.string({ maxLength: 100 }) })))
  fc.assert(fc.property(answers, sent => {
    const taken = cutAnswers(packAnswers(sent))
    return JSON.stringify(taken.map(plain)) === JSON.stringify(sent.map(plain))
  }))
  const nowhere = channelOf(async () => ({ kind: 'unknown', why: 'unused' }))
  const at = (connection: number): Channel => ({ ...nowhere, remote: { process: {}, connection } })
  const relayed: Step = {
    command: unhex('8070'), goOn: 'always',
    relay: { to: at(0x01020304), copies: [{ from: 11, length: 4, to: 5 }, { from: 4, length: 2, to: 9 }] }
  }
  const onWire = '80 000D 01020304 02 0B0405 040209 8070'
  t.equal(hex(packSteps([relayed])), onWire.replace(/ /g, ''),
    'relay 80, length 13, connection 4, two copies, command')
  t.same(JSON.stringify(cutSteps(unhex(onWire), at)), JSON.stringify([relayed]))
  t.throws(() => packSteps([{ ...relayed, relay: { to: nowhere, copies: [] } }]), /at no reader of this process/)
  t.throws(() => cutSteps(unhex(onWire)), /connection 16909060 where none can be/)
  t.throws(() => cutSteps(unhex('80 0007 00000001 01 0B04'), at), /no relay: 7 bytes/)
  t.throws(() => cutSteps(Uint8Array.of(0, 0)), /cut off at byte 0/)
  t.throws(() => cutSteps(Uint8Array.of(9, 0, 0)), /no step: 9/)
  t.throws(() => cutAnswers(Uint8Array.of(0, 0, 1, 0)), /no answer: 0/)
  t.throws(() => hopFrame('answers', 1, 1, new Uint8Array(9_000)), /too many/)
  t.end()
})

t.test('the process of the readers goes when it is silent, or too many chips hang', t => {
  const { unansweredMax, hungMax } = childLimits
  const table = [
    [0, 0, null], [unansweredMax, hungMax, null], [unansweredMax + 1, 0, /11 asks without an answer/],
    [0, hungMax + 1, /chips hang on 3 readers/], [unansweredMax + 1, hungMax + 1, /11 asks/]
  ] as const
  for (const [unanswered, hung, why] of table) {
    t.match(verdictOn({ unanswered, hung }, childLimits), why, `${unanswered} open, ${hung} hang`)
  }
  t.end()
})

t.test('once it has started, nothing waits for its start any more', {
  skip: whyNoFarm() ?? false
}, async t => {
  const timers = () => process.getActiveResourcesInfo().filter(one => one === 'Timeout').length
  const before = timers()
  const child = await openReaderChild({
    socket: '/nowhere', log: createLog('t', { level: 'silent' }), random: () => 0.5, nowMs: () => 0
  })
  t.equal(timers(), before + 1, 'only the asks whether it lives')
  child.close()
  t.equal(timers(), before)
})
