// Blank chips become cards: the plan and how far a chip is, every family and suite against a card made in
// one piece, torn or killed at every command, chips mixed up, chips that fail, a real reader. And orders of
// the ledger for cards that are in use, with the same ends.
import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Check } from 'typebox/value'
import { openBatch } from '../gateway/issuing/batch.ts'
import { openIssuingDesk } from '../gateway/issuing/desk.ts'
import { type ChipResult, type Run, serveChip } from '../gateway/issuing/run.ts'
import { ledgerSigner } from '../gateway/issuing/signer.ts'
import { openOrders } from '../gateway/orders/orders.ts'
import { answerOf, channelOf, type Channel } from '../gateway/pcsc/exchange.ts'
import { type Obeyed, obeyOrders } from '../gateway/pcsc/obey.ts'
import { type Giving, giveOrder, type Signed } from '../gateway/pcsc/order.ts'
import { changePinAt } from '../gateway/pcsc/pin.ts'
import { openReaderChild } from '../gateway/pcsc/reader-child.ts'
import { manualClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import { IssuingBatch, StepAsk } from '../schemas/card-issuing.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import {
  type CardSpec, type Directory, type Plan, keyring, planOf, readsOf, signStep, standingOf
} from '../schemas/epurse/issuing.ts'
import { type KeyName, keyNames, keyUsages } from '../schemas/epurse/key-set.ts'
import { type Order, orderRules, signOrder } from '../schemas/epurse/maintenance.ts'
import { type CardDescription, algorithmOf } from '../terminal-sim/card/description.ts'
import { type CardState, createCard, keyOf, pinOf, powerOff, reportCard } from '../terminal-sim/card/state.ts'
import { transmit } from '../terminal-sim/card/transmit.ts'
import { testMasterKey } from '../terminal-sim/keys.ts'
import { createRandom } from '../terminal-sim/random.ts'
import type { Power } from '../terminal-sim/reader/chip.ts'
import { startFarm } from '../terminal-sim/reader/farm.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { ask, atWork, loadBy, purchase, selectCityUnion, selectTUnion } from './support/chip-table.ts'
import { type RecordingDisk, powerCuts, recordingDisk } from './support/recording-disk.ts'
import { type Line, scripted } from './support/scripted-channel.ts'

const clock = manualClock(Date.parse('2026-03-02T08:00:00+08:00'))
const families = ['cjt166', 't-union', 'pboc'] as const
const suiteNames = ['3des', 'sm4'] as const
const firstPin = '135790'

/* ---- what is to be made, and what makes it ---- */

const descriptionOf = (no: number, more: Partial<CardDescription> = {}): CardDescription => ({
  profile: 'cjt166', issuer: '9900FF0000000000', serial: `0099000000${String(no).padStart(10, '0')}`, ...more
})
/** Where the binary files of a card are; the others are its maker's. */
const binaryFiles: readonly (readonly [Directory, number])[] = [
  ['application', 0x16], ['application', 0x15], ['application', 0x17], ['master', 0x05]
]

/** The files of a card that was made in one piece. */
function specOf (description: CardDescription, pin = true): CardSpec {
  const whole = createCard(description)
  const files = binaryFiles.flatMap(([directory, sfi]) => {
    const file = whole.memory[directory][sfi.toString(16).padStart(4, '0')]
    return file?.kind === 'binary' ? [{ directory, sfi, bytes: file.bytes }] : []
  })
  const { profile, suite = '3des' } = description
  return { profile, suite, keyVersion: 1, algorithm: algorithmOf(description), files, pin }
}

const blankOf = (
  { profile, suite }: CardDescription, more: Partial<CardDescription> = {}
): CardDescription => ({
  profile, issuer: 'FF'.repeat(8), serial: 'FF'.repeat(10), blank: {}, ...suite && { suite }, ...more
})

const bytesOf = (card: CardState, name: KeyName): Uint8Array => keyOf(card, name)?.bytes ?? new Uint8Array()

/** Who holds the keys: the ones that a card made in one piece has. */
function signerFor (descriptions: readonly CardDescription[]): Run['sign'] {
  const rings = new Map(descriptions.map(one => {
    const whole = createCard(one)
    return [one.serial, keyring(name => bytesOf(whole, name))]
  }))
  return async (plan, step, challenge) => {
    const own = rings.get(plan.serial)
    if (own === undefined) return { why: 'no such card' }
    const held = { transport: testMasterKey('TRK'), own, pin: unhex(firstPin) }
    return { command: signStep(plan, step, challenge, held) }
  }
}

/* ---- a chip in a hand ---- */

class KilledError extends Error {}

/** `at`: which command from now is cut; `dies`: the process goes with it. */
type Cut = { readonly at: number, readonly power: Power, readonly dies: boolean }
type Chip = { card: CardState, readonly commands: string[], present (cut?: Cut): Channel }

function chipOf (description: CardDescription, seed: string): Chip {
  const random = createRandom(seed)
  const chip: Chip = {
    card: createCard(description),
    commands: [],
    present: cut => {
      chip.card = powerOff(chip.card)
      let count = 0
      let isGone = false
      return channelOf(async command => {
        if (isGone) return { kind: 'unknown', why: 'gone' }
        const power = ++count === cut?.at ? cut.power : 'steady'
        chip.commands.push(hex(command))
        const done = transmit(chip.card, command, { random: random.bytes, power })
        chip.card = done.card
        if (count === cut?.at && cut.dies) throw new KilledError('the process is gone')
        isGone = done.response === null
        return done.response === null ? { kind: 'unknown', why: 'torn' } : answerOf(done.response)
      })
    }
  }
  return chip
}

/** A batch that can lose its process: what was on disk is all that is left. */
async function deskOf (descriptions: readonly CardDescription[], pin = true) {
  const cards = descriptions.map(one => specOf(one, pin))
  const image = new Map<string, Buffer>()
  const open = () => openBatch({
    batch: 'B1', cards, clock, files: recordingDisk(image), journal: { segmentBytesMax: 600 }
  })
  const desk = {
    batch: await open(),
    sign: signerFor(descriptions),
    async serve (chip: Chip, cut?: Cut): Promise<ChipResult | 'killed'> {
      try {
        return await serveChip(chip.present(cut), desk)
      } catch (error) {
        if (!(error instanceof KilledError)) throw error
        desk.batch = await open()
        return 'killed'
      }
    }
  }
  return desk
}

/* ---- the plan ---- */

const filesOnly = ({ steps }: Plan) => steps.map(({ name, under }) => `${name}/${under}`)

t.test('a plan, and how far a chip is after each of its steps', async t => {
  const plan = planOf(specOf(descriptionOf(1)))
  t.same(filesOnly(plan), [
    'file 0015/transport', 'file 0016/transport', 'file 0005/transport',
    'purchase key/transport', 'load key/transport', 'tac key/transport', 'pin_unblock key/transport',
    'pin_reload key/transport', 'PIN/own', 'master key/transport', 'maintenance key/own', 'enabled/own'
  ])
  t.same([plan.keysFrom, plan.probe], [3, 10])
  t.equal(planOf(specOf(descriptionOf(1), false)).steps.length, 11, 'without a PIN')
  t.match(plan, { issuer: '9900FF0000000000', serial: '00990000000000000001' })

  const chip = chipOf(blankOf(descriptionOf(1)), 'plan')
  const desk = await deskOf([descriptionOf(1)])
  const standings: string[] = []
  for (let step = 0; step <= plan.steps.length; step++) {
    const standing = standingOf(plan, readsOf(plan).map(({ directory, sfi }) => {
      const file = chip.card.memory[directory][sfi.toString(16).padStart(4, '0')]
      return file?.kind === 'binary' ? file.bytes : null
    }))
    standings.push(standing.kind === 'at' ? `at ${standing.step}` : standing.kind)
    const { directory } = plan.steps[step] ?? {}
    if (directory === undefined) break
    const channel = chip.present()
    await channel.transmit(unhex(directory === 'master' ? '00A40000023F00' : selectCityUnion))
    const { given } = await giveOrder(channel, {
      challenge: true, sign: challenge => desk.sign(plan, step, challenge)
    })
    t.equal(given.kind, 'obeyed', plan.steps[step]?.name ?? '')
  }
  t.same(standings, ['blank', 'at 1', 'at 2', ...Array(9).fill('among_keys'), 'done'])
  const ofAnother = readsOf(plan).map(({ bytes }) => bytes)
  t.match(standingOf(planOf(specOf(descriptionOf(2))), ofAnother), { kind: 'other' })
  t.match(standingOf(plan, [null, null, null]), { kind: 'other' })
})

t.test('plans that cannot be', async t => {
  const { files, ...spec } = specOf(descriptionOf(1))
  const [file16, file15, ...rest] = files
  if (file16 === undefined || file15 === undefined) throw new Error('two files wanted')
  const asleep = { ...file15, bytes: file15.bytes.slice(0, 16) + '00' + file15.bytes.slice(18) }
  const wrong: readonly [CardSpec, RegExp][] = [
    [{ ...spec, files: [file16] }, /a card needs its file 0015/],
    [{ ...spec, files: [asleep, file16] }, /must say that the card is enabled/],
    [{ ...spec, files: [file15, { ...file16, bytes: 'FF'.repeat(55) }, ...rest] }, /file 0016 of FF/]
  ]
  for (const [one, message] of wrong) t.throws(() => planOf(one), { name: 'RangeError', message })
  const open = (cards: readonly CardSpec[]) => openBatch({ batch: 'B', cards, clock, files: recordingDisk() })
  await t.rejects(open([]), /one card at least/)
  await t.rejects(open([specOf(descriptionOf(1)), specOf(descriptionOf(1))]), /two cards have the serial/)
  const other = specOf(descriptionOf(2, { profile: 'pboc' }))
  await t.rejects(open([specOf(descriptionOf(1)), other]), /of one family/)
  t.throws(() => signStep(planOf({ ...spec, files }), 99, unhex('00000000'), {
    transport: testMasterKey('TRK'), own: keyring(() => testMasterKey('TRK')), pin: null
  }), /and none 99/)
})

/* ---- whole runs ---- */

/** The card is what its maker would have made in one piece. */
function checkCard (t: Test, card: CardState, description: CardDescription, what: string): void {
  const whole = createCard(description)
  t.strictSame(card.memory.application, whole.memory.application, `${what}: files`)
  t.strictSame(card.memory.master, whole.memory.master, `${what}: files of the card`)
  const keys = (one: CardState) => keyNames.map(name => `${name} ${hex(bytesOf(one, name))}`)
  t.strictSame(keys(card), keys(whole), `${what}: keys`)
  t.match(reportCard(card), {
    serial: description.serial, issuer: description.issuer, lock: 'none', purse: { balanceFen: 0 }
  }, what)
}

t.test('every family and suite: as if it had been made in one piece, and it works', async t => {
  for (const profile of families) {
    for (const suite of suiteNames) {
      const what = `${profile}, ${suite}`
      const description = descriptionOf(1, { profile, suite })
      const desk = await deskOf([description])
      const chip = chipOf(blankOf(description), what)
      t.same(await desk.serve(chip), { kind: 'issued', serial: description.serial }, what)
      checkCard(t, chip.card, description, what)
      t.match(pinOf(chip.card), { digits: firstPin, triesLeft: 3 })

      const { chip: facts } = createCard(description)
      const card = { ...powerOff(chip.card), chip: { ...chip.card.chip, keys: facts.keys } }
      const table = { ...atWork(), card }
      ask(table, 'card', profile === 't-union' ? selectTUnion : selectCityUnion)
      t.equal(ask(table, 'card', `0020000003${firstPin}`), '9000', 'the first PIN')
      t.match(loadBy(table, 5_000), /9000$/, 'the first load')
      t.match(purchase(table, 200), /9000$/, 'and a purchase')
      t.equal(reportCard(table.card).purse.balanceFen, 4_800)
      t.match(desk.batch.report(), { cards: 1, waiting: 0, issued: 1, open: [], spoiled: [], unusable: {} })
    }
  }
})

const kindOf = (result: ChipResult | 'killed'): string => typeof result === 'string' ? result : result.kind

t.test('torn or killed at every command, and back', async t => {
  const description = descriptionOf(1)
  const straight = chipOf(blankOf(description), 'straight')
  await (await deskOf([description])).serve(straight)
  const commands = straight.commands.length
  t.equal(commands, 38, 'commands of one card')
  for (let at = 1; at <= commands; at++) {
    for (const power of ['cut_before_commit', 'cut_after_commit'] as const) {
      for (const dies of [false, true]) {
        const what = `${dies ? 'killed' : 'torn'} at ${at}, ${power}`
        const desk = await deskOf([description])
        const chip = chipOf(blankOf(description), what)
        const first = await desk.serve(chip, { at, power, dies })
        t.equal(kindOf(first), dies ? 'killed' : 'interrupted', what)
        t.same(await desk.serve(chip), { kind: 'issued', serial: description.serial }, what)
        checkCard(t, chip.card, description, what)
        t.match(desk.batch.report(), { issued: 1, waiting: 0, open: [], spoiled: [], unusable: {} }, what)
        t.match(await desk.serve(chip), { kind: 'issued_before' }, what)
      }
    }
  }
})

t.test('torn twice, at any two commands', async t => {
  const description = descriptionOf(1)
  const cuts = fc.record({
    at: fc.integer({ min: 1, max: 38 }),
    power: fc.constantFrom<Power>('cut_before_commit', 'cut_after_commit'),
    dies: fc.boolean()
  })
  let spoiled = 0
  await fc.assert(fc.asyncProperty(cuts, cuts, async (one, other) => {
    const desk = await deskOf([description])
    const chip = chipOf(blankOf(description), 'twice')
    await desk.serve(chip, one)
    await desk.serve(chip, other)
    const last = await desk.serve(chip)
    const { issued, spoiled: wasted } = desk.batch.report()
    spoiled += wasted.length
    const isDone = ['issued', 'issued_before'].includes(kindOf(last))
    return isDone ? issued === 1 : issued === 0 && wasted.length === 1
  }), { numRuns: 200, seed: 20260105 })
  t.ok(spoiled < 60, `${spoiled} of 200 were spoiled: a serial that was given twice does not go on`)
})

/* ---- chips mixed up ---- */

type Event = { chip: number, cut: Cut | null }
const anyCut = fc.record({
  at: fc.integer({ min: 1, max: 44 }),
  power: fc.constantFrom<Power>('cut_before_commit', 'cut_after_commit'),
  dies: fc.boolean()
})
const events: fc.Arbitrary<Event[]> = fc.array(
  fc.record({ chip: fc.nat(4), cut: fc.option(anyCut) }), { minLength: 1, maxLength: 14 })

/** Serials of chips that say they are enabled. */
const enabledIn = (chips: readonly Chip[]): string[] => chips.flatMap(({ card }) => {
  const file = card.memory.application['0015']
  return file?.kind === 'binary' && file.bytes.slice(16, 18) === '01' ? [file.bytes.slice(20, 40)] : []
})

t.test('chips mixed up, torn and killed in any order: no serial works on two of them', async t => {
  const descriptions = [1, 2, 3].map(no => descriptionOf(no))
  await fc.assert(fc.asyncProperty(events, async history => {
    const desk = await deskOf(descriptions)
    const chips = [0, 1, 2, 3, 4].map(no => chipOf(blankOf(descriptionOf(1)), `chip ${no}`))
    const inHand = (no: number) => chips[no] as Chip
    for (const { chip, cut } of history) await desk.serve(inHand(chip), cut ?? undefined)
    for (let round = 0; round < 3; round++) for (const chip of chips) await desk.serve(chip)
    const { issued, waiting, open, spoiled } = desk.batch.report()
    const enabled = enabledIn(chips)
    const wasted = new Set(spoiled.map(({ serial }) => serial))
    const working = enabled.filter(serial => !wasted.has(serial))
    const whole = chips.filter(({ card }) => enabledIn([{ card } as Chip]).length > 0)
      .every(({ card }) => keyNames.every(name => hex(bytesOf(card, name)) ===
        hex(bytesOf(createCard(descriptionOf(Number(reportCard(card).serial.slice(10)))), name))))
    return new Set(enabled).size === enabled.length && working.length === issued && whole &&
      issued + waiting + open.length + spoiled.length === 3
  }), { numRuns: 150, seed: 20260105 })
  t.pass('150 histories')
})

t.test('the first chip comes back after another was given its serial', async t => {
  const { serial } = descriptionOf(1)
  const desk = await deskOf([descriptionOf(1)])
  const first = chipOf(blankOf(descriptionOf(1)), 'first')
  const second = chipOf(blankOf(descriptionOf(1)), 'second')
  const torn = { power: 'cut_after_commit', dies: false } as const
  t.match(await desk.serve(first, { ...torn, at: 10 }), { kind: 'interrupted', serial }, 'it has it')
  t.match(await desk.serve(second, { ...torn, at: 33 }), { kind: 'interrupted', serial }, 'so does this one')
  t.same(enabledIn([first, second]), [serial], 'and it is enabled, but nobody has heard that')
  t.same(await desk.serve(first), { kind: 'doubtful', serial })
  t.same(await desk.serve(second), { kind: 'spoiled_before', serial })
  t.same(enabledIn([first, second]), [serial], 'not both')
  t.match(desk.batch.report(), { issued: 0, open: [], spoiled: [{ serial }] })
})

t.test('a run on disk: power cut at every byte', async t => {
  const cards = [1, 2, 3].map(no => specOf(descriptionOf(no)))
  const open = (files: RecordingDisk) =>
    openBatch({ batch: 'B4', cards, clock, files, journal: { segmentBytesMax: 400 } })
  const disk = recordingDisk()
  const batch = await open(disk)
  const states: string[] = []
  const now = () => {
    states.push(JSON.stringify(batch.report()))
    disk.operations.push({ kind: 'promise', promise: states.length })
  }
  const begin = async () => {
    const plan = await batch.begin()
    if (plan === null) throw new Error('no card is left')
    now()
    return plan
  }
  const after = async (written: Promise<void>) => {
    await written
    now()
  }
  now()
  const first = await begin()
  await after(batch.named(first))
  const second = await begin()
  await after(batch.giveBack(second))
  batch.release(second)
  await after(batch.issued(first))
  await after(batch.unusable(null, '6A82'))
  const again = await begin()
  await after(batch.named(again))
  await after(batch.spoiled(again, 'tac key', '6A88'))
  const third = await begin()
  await after(batch.named(third))
  await after(batch.issued(third))
  await batch.close()

  let promised = 0
  const before = disk.operations.map(({ kind }) => kind === 'promise' ? promised++ : promised)
  let cuts = 0
  for (const { cut, byte, image } of powerCuts(disk.operations)) {
    const last = before[cut] ?? promised
    const left = await open(recordingDisk(image))
    const found = JSON.stringify(left.report())
    await left.close()
    if (!states.slice(Math.max(0, last - 1), last + 1).includes(found)) {
      t.fail(`operation ${cut}, byte ${byte}: ${found}`)
      return
    }
    cuts += 1
  }
  t.ok(cuts > 500, `${cuts} power cuts`)
})

/* ---- chips that fail, and what is said of them ---- */

t.test('the report of a run with spoiled chips', async t => {
  const descriptions = [1, 2, 3].map(no => descriptionOf(no))
  const desk = await deskOf(descriptions)
  const serial = (no: number) => descriptionOf(no).serial
  const chip = (no: number, more: Partial<CardDescription> = {}) =>
    chipOf(blankOf(descriptionOf(1), more), `chip ${no}`)

  const foreignKey = chip(1, { blank: { transportKey: 'AB'.repeat(16) } })
  t.same(await desk.serve(foreignKey), { kind: 'unusable', serial: null }, 'of another maker')
  const otherFamily = chipOf(blankOf(descriptionOf(1, { profile: 't-union' })), 'family')
  t.same(await desk.serve(otherFamily), { kind: 'unusable', serial: null }, 'of another family')

  const otherNumbers = chip(2, { settings: { keyUsages: { ...keyUsages, tac: 0x55 } } })
  t.same(await desk.serve(otherNumbers),
    { kind: 'spoiled', serial: serial(1), why: 'tac key: 6A88 key or data not found' }, 'it refuses a key')
  t.same(await desk.serve(otherNumbers), { kind: 'spoiled_before', serial: serial(1) })

  const { sign } = desk
  desk.sign = async () => ({ why: 'no answer' })
  const patient = chip(3)
  t.same(await desk.serve(patient), { kind: 'interrupted', serial: serial(2), why: 'file 0015: no answer' })
  t.same(desk.batch.report().open, [], 'nothing was sent')
  desk.sign = async (plan, step, challenge) =>
    step < 5 ? await sign(plan, step, challenge) : { why: 'no answer' }
  t.same(await desk.serve(patient), { kind: 'interrupted', serial: serial(2), why: 'tac key: no answer' })
  t.same(desk.batch.report().open, [serial(2)])
  desk.sign = sign
  t.same(await desk.serve(patient), { kind: 'issued', serial: serial(2) })

  const naming = { at: 10, power: 'cut_before_commit', dies: false } as const
  const lost = { kind: 'interrupted', serial: serial(3), why: 'file 0015: the card left' }
  t.same(await desk.serve(chip(4), naming), lost, 'nobody knows whether it carries the serial')
  const second = chip(5)
  t.match(await desk.serve(second, { ...naming, at: 20 }), { kind: 'interrupted', serial: serial(3) })
  t.same(await desk.serve(second), { kind: 'doubtful', serial: serial(3) }, 'the first may be the one')
  t.same(await desk.serve(chip(6)), { kind: 'batch_done', serial: null })
  const foreign = chipOf(descriptionOf(77), 'foreign')
  t.same(await desk.serve(foreign), { kind: 'foreign', serial: serial(77) })
  t.same(desk.batch.report(), {
    batch: 'B1',
    cards: 3,
    waiting: 0,
    issued: 1,
    open: [],
    spoiled: [
      { serial: serial(1), at: 'tac key', why: '6A88 key or data not found' },
      { serial: serial(3), at: 'begin', why: 'two chips may carry this serial' }
    ],
    unusable: { '6988 secure messaging MAC wrong': 1, '6A82 file not found': 1 }
  })
})

t.test('a run that the ledger signs', async t => {
  const descriptions = [descriptionOf(1)]
  const cards = descriptions.map(one => specOf(one))
  const started = { batch: 'B3', type: 'anonymous', lot: '0000000000000001', lotKeyVersion: 1, cards }
  t.ok(Check(IssuingBatch, started), 'as it travels')
  const signer = signerFor(descriptions)
  const plan = planOf(cards[0] as CardSpec)
  let mode: 'away' | 'another card' | 'another step' | 'right' = 'away'
  const post = async (path: string, body: unknown): Promise<unknown> => {
    t.equal(path, '/v1/issuing/steps')
    t.ok(Check(StepAsk, body), JSON.stringify(body))
    const { card, step, challenge } = body as StepAsk
    if (mode === 'away') throw new Error('nobody')
    const signed = await signer(plan, mode === 'another step' ? plan.probe : step, unhex(challenge))
    const command = 'command' in signed ? hex(signed.command) : ''
    return { card: mode === 'another card' ? { ...card, serial: '0'.repeat(20) } : card, step, command }
  }
  let ms = 0
  const nowMs = () => {
    ms += 1_000
    return ms
  }
  const run = {
    batch: await openBatch({ batch: 'B3', cards, clock, files: recordingDisk() }),
    sign: ledgerSigner({ http: { post }, nowMs, batch: 'B3' })
  }
  const chip = chipOf(blankOf(descriptionOf(1)), 'signed')
  for (const one of ['away', 'another card', 'another step'] as const) {
    mode = one
    t.match(await serveChip(chip.present(), run), { kind: 'interrupted' }, one)
    t.notOk(chip.commands.some(command => /^(04|84)/.test(command)), 'nothing went to the chip')
  }
  mode = 'right'
  t.match(await serveChip(chip.present(), run), { kind: 'issued' })
  checkCard(t, chip.card, descriptionOf(1), 'signed by the ledger')
})

/* ---- one order ---- */

t.test('an order: sent once, and only with a challenge and a signature', async t => {
  type Row = [
    what: string, lines: readonly Line[], giving: Partial<Giving<Signed>>, given: unknown, told: string]
  const rows: readonly Row[] = [
    ['obeyed', [['C', '0084000004', 'C0FFEE01 9000'], ['C', '8416000004 01020304', '9000']], {},
      { kind: 'obeyed' }, 'C0FFEE01 kept sent'],
    ['refused', [['C', '0084000004', 'C0FFEE01 9000'], ['C', '8416000004 01020304', '6988']], {},
      { kind: 'refused', sw: 0x6988 }, 'C0FFEE01 kept sent'],
    ['lost', [['C', '0084000004', 'C0FFEE01 9000'], ['C', '8416000004 01020304', '']], {},
      { kind: 'lost', sent: true }, 'C0FFEE01 kept sent'],
    ['lost before', [['C', '0084000004', '']], {}, { kind: 'lost', sent: false }, ''],
    ['no challenge', [['C', '0084000004', '6D00']], {},
      { kind: 'unsent', why: 'the chip gives no challenge' }, ''],
    ['short challenge', [['C', '0084000004', 'C0FF 9000']], {},
      { kind: 'unsent', why: 'the chip gives no challenge' }, ''],
    ['unsigned', [['C', '0084000004', 'C0FFEE01 9000']], { sign: async () => ({ why: 'not listed' }) },
      { kind: 'unsent', why: 'not listed' }, ''],
    ['none wanted', [['C', '8416000004 01020304', '9000']], { challenge: false },
      { kind: 'obeyed' }, ' kept sent']
  ]
  for (const [what, lines, giving, expected, order] of rows) {
    const told: string[] = []
    const script = scripted(lines, message => t.fail(message))
    const { given } = await giveOrder(script.card, {
      challenge: true,
      sign: async challenge => {
        told.push(hex(challenge))
        return { command: unhex('8416000004 01020304') }
      },
      beforeSending: async () => { told.push('kept') },
      afterSending: () => { told.push('sent') },
      ...giving
    })
    t.same([given, told.join(' '), script.left()], [expected, order, 0], what)
  }
})

/* ---- orders of the ledger for a card in use ---- */

const inUse = descriptionOf(1, { pin: { digits: firstPin }, balanceFen: 1_000 })
const secondPin = '24680246'
const nextKey = '0F1E2D3C4B5A69788796A5B4C3D2E1F0'
type Wanted = { readonly order: Order, readonly secret?: string }
const wantedOrders: readonly Wanted[] = [
  { order: { order: 'unblock_application' } },
  { order: { order: 'unblock_pin' }, secret: secondPin },
  { order: { order: 'update_binary', sfi: 0x16, offset: 0, data: '02' } },
  { order: { order: 'write_key', key: 'load', version: 2, algorithm: 0 }, secret: nextKey }
]

/** A stand-in: hands out one order after the other until it has heard that the chip obeyed. */
function orderingLedger (wanted: readonly Wanted[]) {
  const whole = createCard(inUse)
  const waiting = [...wanted]
  const heard: string[] = []
  const asked = new Map<string, Wanted>()
  const ledger = {
    heard,
    silent: false,
    /** In place of what it would answer. */
    answer: undefined as unknown,
    http: {
      post: async (path: string, body: unknown): Promise<unknown> => {
        const { key, challenge, outcome, sw } = body as Record<string, string>
        if (ledger.silent || key === undefined) throw new Error('no ledger')
        if (path === '/v1/card-orders/outcome') {
          const told = asked.get(key)
          heard.push(`${told?.order.order} ${outcome} ${sw}`)
          // Not locked any more: an earlier answer of the chip was lost.
          const isDone = outcome === 'obeyed' || sw === '6985'
          if (isDone && told !== undefined) waiting.splice(waiting.indexOf(told), 1)
          return { key, outcome }
        }
        const [next] = waiting
        if (ledger.answer !== undefined) return { key, order: ledger.answer }
        if (next === undefined) return { key, order: null }
        asked.set(key, next)
        const { order, secret } = next
        const command = signOrder(order, {
          suite: whole.chip.suite,
          key: bytesOf(whole, orderRules[order.order].key),
          challenge: unhex(challenge ?? ''),
          ...secret === undefined ? {} : { secret: unhex(secret) }
        })
        return { key, order: { name: order.order, command: hex(command) } }
      }
    }
  }
  return ledger
}

/** Its PIN is blocked and its application locked. */
async function lockedChip (seed: string): Promise<Chip> {
  const chip = chipOf({ ...inUse, lock: 'temporary' }, seed)
  chip.card = { ...chip.card, memory: { ...chip.card.memory, pinTriesLeft: 0 } }
  return chip
}

async function laneOf (wanted: readonly Wanted[]) {
  const ledger = orderingLedger(wanted)
  const image = new Map<string, Buffer>()
  let keys = 0
  let ms = 0
  const open = () => openOrders({
    http: ledger.http,
    files: recordingDisk(image),
    clock,
    nowMs: () => {
      ms += 400
      return ms
    },
    random: () => 0,
    log: createLog('t', { level: 'silent' }),
    newKey: () => `GW1-order-${++keys}`
  })
  const lane = {
    ledger,
    orders: await open(),
    async serve (chip: Chip, cut?: Cut): Promise<Obeyed | 'killed'> {
      const channel = chip.present(cut)
      try {
        await channel.transmit(unhex(selectCityUnion))
        const { issuer, serial } = inUse
        const terminal = { operator: 'BUS', terminal: 'DESK-1' }
        return await obeyOrders(channel, { terminal, orders: lane.orders }, { issuer, serial, issue: 1 })
      } catch (error) {
        if (!(error instanceof KilledError)) throw error
        await lane.orders.close()
        lane.orders = await open()
        return 'killed'
      }
    },
    async told (): Promise<void> {
      while (lane.orders.view().untold > 0) await delay(1)
    }
  }
  return lane
}

t.test('the ledger\'s orders for a card, one after the other', async t => {
  const lane = await laneOf(wantedOrders)
  t.teardown(() => lane.orders.close())
  const chip = await lockedChip('orders')
  t.same(await lane.serve(chip), {
    orders: ['unblock_application', 'unblock_pin', 'update_binary', 'write_key'], end: 'done'
  })
  await lane.told()
  t.same(lane.ledger.heard, [
    'unblock_application obeyed 9000', 'unblock_pin obeyed 9000', 'update_binary obeyed 9000',
    'write_key obeyed 9000'
  ])
  t.same(lane.orders.view(), { open: 0, untold: 0 })
  t.match(reportCard(chip.card), { lock: 'none', pinTriesLeft: 3, purse: { balanceFen: 1_000 } })
  t.match(pinOf(chip.card), { digits: secondPin })
  t.match(keyOf(chip.card, 'load'), { version: 2 })

  lane.ledger.silent = true
  const before = chip.card.memory
  t.same(await lane.serve(chip), { orders: [], end: 'unanswered' })
  lane.ledger.silent = false
  const debit = '805401000F' + '00'.repeat(15)
  for (const command of [debit, '841E00000400000000']) {
    lane.ledger.answer = { name: 'block_card', command }
    const count = chip.commands.length
    t.same(await lane.serve(chip), { orders: [], end: 'unanswered' }, 'no order, whatever the ledger says')
    t.equal(chip.commands.length, count + 2, 'SELECT and GET CHALLENGE')
  }
  lane.ledger.answer = { name: 'block_card', command: '841600000400000000' }
  t.match(await lane.serve(chip), { orders: [], end: 'refused', why: /^6988 / }, 'signed with another key')
  t.strictSame(chip.card.memory, before, 'and nothing of that changed the card')
  await lane.told()
  t.equal(lane.ledger.heard.at(-1), 'undefined refused 6988')
})

t.test('orders cut at every command: torn or killed, each is done once and told', async t => {
  const straight = await lockedChip('straight')
  const first = await laneOf(wantedOrders)
  await first.serve(straight)
  await first.orders.close()
  const commands = straight.commands.length
  t.equal(commands, 10, 'SELECT, a challenge for each order and one for none, four orders')
  for (let at = 1; at <= commands; at++) {
    for (const power of ['cut_before_commit', 'cut_after_commit'] as const) {
      for (const dies of [false, true]) {
        const what = `${dies ? 'killed' : 'torn'} at ${at}, ${power}`
        const lane = await laneOf(wantedOrders)
        const chip = await lockedChip(what)
        const cut = await lane.serve(chip, { at, power, dies })
        await lane.told()
        let last = await lane.serve(chip)
        await lane.told()
        if (typeof last !== 'string' && last.end === 'refused') last = await lane.serve(chip)
        await lane.told()
        const isOrder = at > 1 && at % 2 === 1
        const end = isOrder ? 'lost' : 'left'
        t.match([cut, last], [dies ? 'killed' : { end }, { end: 'done' }], what)
        t.strictSame(chip.card.memory, straight.card.memory, what)
        const names = new Set(lane.ledger.heard.map(line => line.split(' ')[0]))
        t.equal(names.size, 4, `${what}: ${lane.ledger.heard.join(', ')}`)
        t.same(lane.orders.view(), { open: 0, untold: 0 }, what)
        await lane.orders.close()
      }
    }
  }
})

t.test('a holder changes the PIN', async t => {
  const chip = chipOf(inUse, 'pin')
  const [old, next, wrong] = [unhex(firstPin), unhex(secondPin), unhex('000000')]
  const at = async (one: Uint8Array, cut?: Cut) => {
    const channel = chip.present(cut)
    await channel.transmit(unhex(selectCityUnion))
    return await changePinAt(channel, { keyId: 0, old: one, next })
  }
  t.match(await at(wrong), { kind: 'refused', reason: 'pin_wrong', triesLeft: 2 })
  const torn = { at: 2, power: 'cut_after_commit', dies: false } as const
  t.match(await at(old, torn), { kind: 'refused', reason: 'card_removed' }, 'nobody knows')
  t.match(pinOf(chip.card), { digits: secondPin, triesLeft: 3 })
  t.same(await at(next), { kind: 'changed' })
  for (const reason of ['pin_wrong', 'pin_wrong', 'pin_blocked', 'pin_blocked']) {
    t.match(await at(wrong), { kind: 'refused', reason })
  }
  const without = chipOf(descriptionOf(2), 'without')
  const channel = without.present()
  await channel.transmit(unhex(selectCityUnion))
  t.match(await changePinAt(channel, { keyId: 0, old, next }), { kind: 'refused', reason: 'no_pin' })
})

/* ---- a real reader ---- */

t.test('a run at a reader of a real pcscd', { skip: whyNoFarm() ?? false, timeout: 120_000 }, async t => {
  const dir = mkdtempSync(join(tmpdir(), 'issue-'))
  const farm = await startFarm({ dir, pairs: [{ name: 'ISSUE' }] })
  const child = await openReaderChild({
    socket: farm.socket, log: createLog('t', { level: 'silent' }), random: () => 0.5,
    nowMs: () => performance.now()
  })
  t.teardown(async () => {
    await child.close()
    await farm.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  const descriptions = [1, 2].map(no => descriptionOf(no, { profile: 't-union', issuer: '02313750FFFFFFFF' }))
  const cards = descriptions.map(one => specOf(one))
  const run = {
    batch: await openBatch({ batch: 'B2', cards, clock, files: recordingDisk() }),
    sign: signerFor(descriptions)
  }
  const reader = child.reader('ISSUE 00 00')
  let told: (result: ChipResult) => void = () => undefined
  const desk = openIssuingDesk({
    reader, run, deadlineMs: 5_000, log: createLog('t', { level: 'silent' }), onChip: result => told(result)
  })
  async function present (chip: string): Promise<ChipResult> {
    const result = new Promise<ChipResult>(resolve => { told = resolve })
    await farm.insert({ chip, reader: reader.name })
    const said = await result
    const occupied = await farm.occupants({})
    if ((occupied[reader.name] ?? null) !== null) await farm.remove({ reader: reader.name })
    while (reader.state() === 'chip') await delay(5)
    return said
  }
  for (const chip of ['A', 'B']) {
    await farm.createCard({ chip, card: blankOf({ ...descriptionOf(1), profile: 't-union' }) })
  }
  while (reader.state() !== 'empty') await delay(5)
  await farm.arm({ chip: 'A', fault: { kind: 'tear', commit: 'after', command: '84D4', nth: 3 } })
  t.match(await present('A'), { kind: 'interrupted', serial: descriptions[0]?.serial })
  t.match(await present('B'), { kind: 'issued', serial: descriptions[1]?.serial })
  t.match(await present('A'), { kind: 'issued', serial: descriptions[0]?.serial })
  t.match(run.batch.report(), { issued: 2, open: [], spoiled: [], unusable: {} })
  for (const [index, chip] of ['A', 'B'].entries()) {
    const { serial, pinTriesLeft } = await farm.inspectCard({ chip })
    t.same({ serial, pinTriesLeft }, { serial: descriptions[index]?.serial, pinTriesLeft: 3 })
  }
  await desk.close()
})
