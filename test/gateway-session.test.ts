// A tap without a reader: the very bytes of a device log, every refusal of the published procedure, and a card that
// leaves at every command and comes back.
import t, { type Test } from 'tap'
import { conversing } from '../gateway/pcsc/exchange.ts'
import { startPsam } from '../gateway/pcsc/psam.ts'
import { type Tapping, runTap } from '../gateway/pcsc/purchase.ts'
import { isResting, next, startSession } from '../gateway/pcsc/session.ts'
import { type Spool, openSpool } from '../gateway/spool/spool.ts'
import { manualClock } from '../runtime/clock.ts'
import { type CardRules, type LaneConfig, tapReasons } from '../schemas/gateway.ts'
import type { Tariff } from '../schemas/tariff/tariff.ts'
import { recordingDisk } from './support/recording-disk.ts'
import { type Line, scripted } from './support/scripted-channel.ts'

/* ---- the device log of a T-Union bus terminal, 2019-01-08, real PSAM, test card ---- */

const file15 = '02313750FFFFFFFF 02 01 03104990600000000016 20170109 20991231 0000'
const file17 = '00000156 3600 3750 0000 CA' + '00'.repeat(49)
const emptyTrip = '06' + '00'.repeat(47)
const cardKeyOfLog = '02313750FFFFFFFF-03104990600000000016-1'
/** File 1E as the table of its fields has it: single ride, 8-byte terminal, bus, 1 fen, balance after, date and time. */
const trip = '06 0000413101210198 02 0000 0000 0000 00 00000001 0000471B 20190108151751 0000' + '00'.repeat(14)

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
  ['C', '00B0950000', `${file15} 9000`], ['C', '00B0970000', `${file17} 9000`], ['C', '00B201F400', `${emptyTrip} 9000`]
]
const balance: Line = ['C', '805C030204', '0000471C 9000']
const init: Line = ['C', '805003020B 01 00000001 413101210198 0F', '0000471C 0059 000000 01 00 62020EC1 9000']
const sign: Line = ['P', '8070000024 62020EC1 0059 00000001 09 20190108151751 01 00 4990600000000016 02313750FFFFFFFF 08',
  '000001E7 B915CAE7 9000']
const cache: Line = ['C', `80DC00F030 ${trip}`, '9000']
const pay: Line = ['C', '805401000F 000001E7 20190108151751 B915CAE7 08', '4FE3D8DD 046BF062 9000']
const check: Line = ['P', '8072000004 046BF062', '9000']
const wholeTap: Line[] = [select, ...reads, balance, init, sign, cache, pay, check]

/* ---- a lane around them ---- */

const logMs = Date.parse('2019-01-08T15:17:51+08:00')
const tariff: Tariff = {
  version: 3, from: '2019-01-01T00:00:00+08:00', operators: { BUS: { kind: 'flat', fareFen: 2, cardFareFen: 1 } }
}
const lane: LaneConfig = {
  lane: 'BUS-1', readers: { card: 'BUS-1 00 00', psam: 'BUS-1 00 01' }, operator: 'BUS', terminal: 'BUS-1', mode: 'fare'
}
type Wishes = {
  lane?: Partial<LaneConfig>, rules?: CardRules, tariff?: Tariff | null, blacklisted?: boolean, charge?: Tapping['charge']
  paidAgoMs?: number, psam?: null, sells?: boolean, spool?: Spool, atMs?: number
}

async function laneOf (t: Test, lines: readonly Line[], wishes: Wishes = {}) {
  const script = scripted(wishes.psam === null ? lines : [...startOfDay, ...lines], message => t.fail(message))
  const started = wishes.psam === null ? null : await startPsam(script.psam, Uint8Array.of(0x3B), '413101210198')
  const clock = manualClock(wishes.atMs ?? logMs)
  const disk = recordingDisk()
  const spool = wishes.spool ?? await openSpool({ files: disk, clock })
  const states: string[] = []
  const { paidAgoMs } = wishes
  const tapping: Tapping = {
    lane: { ...lane, ...wishes.lane },
    rules: wishes.rules ?? {},
    session: startSession(state => states.push(state)),
    psam: started?.ok === true ? started.psam : null,
    spool,
    parameters: {
      tariff: () => wishes.tariff === undefined ? tariff : wishes.tariff,
      isBlacklisted: () => wishes.blacklisted === true,
      blacklistVersion: () => 55
    },
    clock,
    charge: wishes.charge ?? null,
    paidAtMs: () => paidAgoMs === undefined ? null : clock.now() - paidAgoMs,
    sells: wishes.sells ?? true,
    onRecovered: () => undefined
  }
  return { script, tapping, spool, disk, states, clock }
}

/** One card on the reader of that lane, from coming in to the word of the terminal. */
async function tapOnce ({ script, tapping }: Awaited<ReturnType<typeof laneOf>>) {
  tapping.session.signal('card_in')
  return await runTap(conversing(script.card), tapping)
}

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
  const onDisk = () => all.disk.operations.flatMap(one => one.kind === 'append' ? [one.bytes.toString('latin1')] : []).join('')
  const synced = () => all.disk.operations.filter(one => one.kind === 'sync').length
  let before = { intent: false, syncs: 0 }
  const watched = {
    transmit: async (command: Uint8Array) => {
      if (command[1] === 0x54) before = { intent: onDisk().includes('"mac1":"B915CAE7"'), syncs: synced() }
      return all.script.card.transmit(command)
    }
  }
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

const refusals: { card: string, lines: Line[], wishes?: Wishes, reason: string }[] = [
  { card: 'locked, 6A81 on select', lines: [answering(select, '6A81')], reason: 'card_locked' },
  { card: 'locked, 6283 on select', lines: [answering(select, '6283')], reason: 'card_locked' },
  { card: 'locked, 6284 on select', lines: [answering(select, '6284')], reason: 'card_locked' },
  { card: 'locked for ever, 9303 on select', lines: [answering(select, '9303')], reason: 'card_locked' },
  { card: 'neither T-Union nor city union', lines: [answering(select, '6A82'), unionName], reason: 'card_unsupported' },
  { card: 'file 0015 too short', lines: with15('0231'), reason: 'card_unreadable' },
  { card: 'not enabled', lines: with15(file15.replace('02 01 0310', '02 00 0310')), reason: 'card_disabled' },
  { card: 'starts tomorrow', lines: with15(file15.replace('20170109', '20190109')), reason: 'card_not_started' },
  { card: 'starts today', lines: [...with15(file15.replace('20170109', '20190108')), answering(balance, '00000000 9000')], reason: 'insufficient_funds' },
  { card: 'expired yesterday', lines: with15(file15.replace('20991231', '20190107')), reason: 'card_expired' },
  { card: 'expires today', lines: [...with15(file15.replace('20991231', '20190108')), answering(balance, '00000000 9000')], reason: 'insufficient_funds' },
  { card: 'issuer not on the white list', lines: after(), wishes: { rules: { acceptedIssuers: ['0431'] } }, reason: 'issuer_not_accepted' },
  { card: 'local card of another city', lines: after(), wishes: { rules: { homeIssuers: ['0431'] } }, reason: 'card_local_only' },
  { card: 'on the blacklist', lines: after(), wishes: { blacklisted: true }, reason: 'blacklisted' },
  { card: 'paid here 5 s ago', lines: after(), wishes: { paidAgoMs: 5_000 }, reason: 'tapped_twice' },
  { card: 'no tariff held', lines: after(), wishes: { tariff: null }, reason: 'no_tariff' },
  { card: 'no tariff for this operator', lines: after(), wishes: { lane: { operator: 'MET' } }, reason: 'no_tariff' },
  { card: 'till asks for nothing', lines: after(), wishes: { lane: { mode: 'till' } }, reason: 'no_charge' },
  { card: 'empty', lines: after(answering(balance, '00000000 9000')), reason: 'insufficient_funds' },
  { card: 'too little: 9401 at INITIALIZE', lines: after(balance, answering(init, '9401')), reason: 'insufficient_funds' },
  { card: 'counter at its end: 9402', lines: after(balance, answering(init, '9402')), reason: 'card_worn_out' },
  { card: 'key index unknown: 9403', lines: after(balance, answering(init, '9403')), reason: 'key_unsupported' },
  { card: 'PSAM refuses to sign', lines: after(balance, init, answering(sign, '6985')), reason: 'psam_refused' },
  { card: 'PSAM is gone at signing', lines: after(balance, init, answering(sign, '')), reason: 'psam_unavailable' },
  { card: 'trip record refused', lines: after(balance, init, sign, answering(cache, '6985')), reason: 'card_refused' },
  { card: 'debit refused: 9302', lines: after(balance, init, sign, cache, answering(pay, '9302')), reason: 'card_refused' },
  { card: 'no PSAM', lines: [], wishes: { psam: null }, reason: 'psam_unavailable' }
]

t.test('every refusal, its reason, and no money moved', async t => {
  for (const { card, lines, wishes, reason } of refusals) {
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
  const worst = file15.replace('02 01 0310', '02 00 0310').replace('20170109', '20190109').replace('20991231', '20180107')
  const mend = [
    'card_disabled', (text: string) => text.replace('02 00 0310', '02 01 0310'),
    'card_not_started', (text: string) => text.replace('20190109', '20170109'),
    'card_expired', (text: string) => text.replace('20180107', '20991231')
  ]
  let text = worst
  for (let step = 0; step < mend.length; step += 2) {
    const all = await laneOf(t, with15(text), { rules: { acceptedIssuers: ['0431'], homeIssuers: ['0431'] }, blacklisted: true, paidAgoMs: 1, tariff: null })
    t.match(await tapOnce(all), { reason: mend[step] })
    text = (mend[step + 1] as (text: string) => string)(text)
  }
  const rest: [Wishes, string][] = [
    [{ rules: { acceptedIssuers: ['0431'], homeIssuers: ['0431'] }, blacklisted: true, paidAgoMs: 1, tariff: null }, 'issuer_not_accepted'],
    [{ rules: { homeIssuers: ['0431'] }, blacklisted: true, paidAgoMs: 1, tariff: null }, 'card_local_only'],
    [{ blacklisted: true, paidAgoMs: 1, tariff: null }, 'blacklisted'],
    [{ paidAgoMs: 1, tariff: null }, 'tapped_twice'],
    [{ tariff: null }, 'no_tariff']
  ]
  for (const [wishes, reason] of rest) t.match(await tapOnce(await laneOf(t, with15(text), wishes)), { reason })
})

t.test('five seconds and a millisecond later the same card pays again', async t => {
  t.match(await tapOnce(await laneOf(t, wholeTap, { paidAgoMs: 5_001 })), { reason: 'paid' })
})

t.test('PSAM start of day: refused where the terminal number differs', async t => {
  const script = scripted(startOfDay.slice(0, 2), message => t.fail(message))
  const started = await startPsam(script.psam, Uint8Array.of(0x3B), '990000000001')
  t.match(started, { ok: false, final: true, why: 'terminal number 413101210198, 990000000001 is configured for this lane' })
  t.match(await startPsam(script.psam, new Uint8Array(0), undefined), { ok: false, why: 'no ATR' })
})

t.test('the table: the card may leave in every state, and every state can be left', async t => {
  for (const [state, row] of Object.entries(next)) {
    t.ok(row.card_out !== undefined, `${state}: the card leaves`)
    t.ok(Object.values(row).some(to => to !== state), `${state} is no dead end`)
  }
  t.same(Object.keys(next).filter(state => isResting(state as keyof typeof next)), ['idle', 'approved', 'declined', 'torn'])
  t.throws(() => startSession().signal('debited'), /the lane is idle: there is no row for debited/)
})
