// Social-security cards at the counter of a clinic: what their records say and when it is not believed, the
// virtual card byte for byte, and lanes on real readers that read it, with purses beside; nothing of a person
// on a tape, in a log, in figures or on disk.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { chargeBook } from '../gateway/charges.ts'
import { type Served, buildApp } from '../gateway/http/app.ts'
import { identityBook } from '../gateway/identities.ts'
import { conversing } from '../gateway/pcsc/exchange.ts'
import { readIdentity } from '../gateway/pcsc/identity.ts'
import { pinBook } from '../gateway/pins.ts'
import { manualClock } from '../runtime/clock.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import type { ChargeView, IdentityView, TapView } from '../schemas/gateway.ts'
import type { Holder } from '../schemas/ssse/files.ts'
import { type Identity, type SsseRecords, identityIn, isIdNumber } from '../schemas/ssse/identity.ts'
import type { CardDescription } from '../terminal-sim/card/description.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { startFarm } from '../terminal-sim/reader/farm.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import type { SsseDescription } from '../terminal-sim/ssse/description.ts'
import { ssseChip } from '../terminal-sim/ssse/ssse-chip.ts'
import { putDown } from './support/chips-in-hand.ts'
import { type Place, type Running, passenger, putPsam, startGateway } from './support/lanes.ts'

/* ---- a card written by hand: tag, length, value ---- */

const file05 = [
  '0110 43040000D15600000500C0FFEEC0FFEE', '0201 33', '0304 322E3030', '040C 915600000243040043040000',
  '0504 20200102', '0604 20361231', '0709 413132333435363738'
]
/** GB2312: 张 D5C5, 三 C8FD. */
const name = `021E D5C5C8FD${'00'.repeat(26)}`
/** 11010519491231002X is the example of GB 11643. */
const file06 = ['0112 313130313035313934393132333130303258', name, '0401 32', '0501 01', '0704 19491231']
const holder: Identity = {
  cardNumber: 'A12345678', name: '张三', idNumber: '11010519491231002X', validUntil: '20361231',
  issuedOn: '20200102', institution: '915600000243040043040000', cardId: '43040000D15600000500C0FFEEC0FFEE',
  specification: '2.00', sex: '2', bornOn: '19491231'
}
const recordsOf = (one = file05, other = file06): SsseRecords =>
  ({ 0x05: one.map(unhex), 0x06: other.map(unhex) })
const rules = { today: '20260302', numberChecked: true }

t.test('what the records say', async t => {
  t.strictSame(identityIn(recordsOf(), rules), { ok: true, identity: holder })
  const mixed = [...file06].reverse()
  t.strictSame(identityIn(recordsOf([...file05].reverse(), mixed), rules), { ok: true, identity: holder })
  t.match(identityIn(recordsOf(file05, [...file06.filter(one => !one.startsWith('04')), '0301 31']), rules),
    { identity: { sex: '1' } }, 'the first generation has the sex under tag 03')
  const few = recordsOf(['0604 20260302', '0702 4131'], [...file06.slice(0, 1), '0202 C0EE'])
  const bare = identityIn(few, rules)
  t.match(bare, { identity: { cardNumber: 'A1', name: '李', issuedOn: null, sex: null, bornOn: null } })
  const unfilled = [...file05.slice(0, 3), '0504 00000000', ...file05.slice(5)]
  t.match(identityIn(recordsOf(unfilled), rules),
    { ok: true, identity: { issuedOn: null, institution: null } })
})

const without = (file: readonly string[], tag: string) => file.filter(one => !one.startsWith(tag))
const instead = (file: readonly string[], record: string) =>
  file.map(one => one.startsWith(record.slice(0, 2)) ? record : one)

t.test('what is not believed, and why, without a word of the holder', async t => {
  const malformed = [
    ['no card number', without(file05, '07'), file06, 'file 05, tag 07 wanted'],
    ['no name', file05, without(file06, '02'), 'file 06, tag 02 wanted'],
    ['a name of blanks', file05, instead(file06, `021E${'20'.repeat(30)}`), 'file 06, tag 02 wanted'],
    ['a number of FF', file05, instead(file06, `0112${'FF'.repeat(18)}`), 'file 06, tag 01 wanted'],
    ['two names', file05, [...file06, name], 'file 06, tag 02 wanted once, it is there twice'],
    ['half a character', file05, instead(file06, '0203 D5C5C8'), 'file 06, tag 02: text wanted'],
    ['a name with a new line', file05, instead(file06, '0203 D5C50A'), 'file 06, tag 02: text wanted'],
    ['17 characters', file05, instead(file06, `0111${'31'.repeat(17)}`),
      'file 06, tag 01: 17 digits and a digit or X wanted'],
    ['31 February', instead(file05, '0604 20360231'), file06,
      'file 05, tag 06: a date of the calendar wanted'],
    ['a date that is none', instead(file05, '0504 2020AB02'), file06,
      'file 05, tag 05: a date of the calendar wanted'],
    ['a card number of blanks within', instead(file05, '0703 412042'), file06,
      'file 05, tag 07: up to 9 letters and digits wanted'],
    ['a record cut short', instead(file05, '0709 41313233'), file06,
      'file 05, tag 07: length at offset 1 says 9 bytes, 4 follow'],
    ['a record of one byte', file05, [...file06, '07'], 'file 06: a record of 1 bytes has no length']
  ] as const
  for (const [what, one, other, why] of malformed) {
    t.strictSame(identityIn(recordsOf([...one], [...other]), rules),
      { ok: false, reason: 'identity_malformed', why }, what)
  }
  const wrong = recordsOf(file05, instead(file06, '0112 313130313035313934393132333130303231'))
  t.strictSame(identityIn(wrong, rules), { ok: false, reason: 'identity_number_wrong' })
  t.match(identityIn(wrong, { ...rules, numberChecked: false }), { ok: true })
  for (const [today, reason] of [
    ['20361231', undefined], ['20370101', 'card_expired'], ['20200102', undefined],
    ['20200101', 'card_not_started']
  ] as const) {
    const found = identityIn(recordsOf(), { ...rules, today })
    t.equal(found.ok ? undefined : found.reason, reason, today)
  }
})

t.test('GB 11643: one wrong character, and two that changed places, are found', async t => {
  for (const number of ['11010519491231002X', '440524188001010014']) {
    t.ok(isIdNumber(number), number)
    for (let at = 0; at < 17; at++) {
      for (const digit of '0123456789') {
        const changed = number.slice(0, at) + digit + number.slice(at + 1)
        if (changed !== number && isIdNumber(changed)) t.fail(changed)
      }
      const [one = '', other = ''] = number.slice(at, at + 2)
      const swapped = number.slice(0, at) + other + one + number.slice(at + 2)
      if (at < 16 && one !== other && isIdNumber(swapped)) t.fail(swapped)
    }
  }
  t.notOk(isIdNumber('440524188001010'), 'the short form of before 1999 has none')
})

/* ---- the virtual card ---- */

const said: Holder = {
  cardId: holder.cardId ?? '', cardClass: '3', specification: '2.00', institution: holder.institution ?? '',
  issuedOn: '20200102', validUntil: '20361231', cardNumber: 'A12345678',
  idNumber: holder.idNumber, name: holder.name, sex: '2', nation: '01', bornOn: '19491231'
}
const chance = createRandom('clinic')
const select = '00A404000F 7378312E73682E C9E7BBE1B1A3D5CF'
const fci = '6F11 840F 7378312E73682E C9E7BBE1B1A3D5CF'
const purseOf = (no: number): CardDescription =>
  ({ profile: 't-union', issuer: '02313750FFFFFFFF', serial: `0310499060000000000${no}`, balanceFen: 2_000 })

/** Rows of command and answer, blanks do not count. */
function converse (
  t: Test, description: SsseDescription, rows: readonly (readonly [string, string])[]
): void {
  const chip = ssseChip(description, chance)
  for (const [command, answer] of rows) {
    t.equal(hex(chip.transmit(unhex(command), 'steady') ?? new Uint8Array()), hex(unhex(answer)), command)
  }
}

t.test('the virtual card, byte for byte', async t => {
  converse(t, { holder: said }, [
    ['00B2012C00', '6A82'],
    ['00A4040008A000000632010105', '6A82'],
    [select, `${fci} 9000`],
    ...file05.map((record, index) => [`00B2 0${index + 1} 2C 00`, `${record} 9000`] as const),
    ['00B2082C00', '6A83'],
    ...file06.map(record => [`00B2 ${record.slice(0, 2)} 30 00`, `${record} 9000`] as const),
    ['00B2033000', '6A83'],
    ['00B2012C10', '6C12'],
    ['00B2012C12', `${file05[0]} 9000`],
    ['00A4020002EF06', '9000'], ['00B2020400', `${name} 9000`],
    ['00B2013C00', '6982'], ['00B2014400', '6982'],
    ['00B2014C00', '6A82'], ['00B2012D00', '6A86'], ['0084000008', '6D00'], ['80B2012C00', '6E00'],
    ['00A4040C02EF05', '6A86'], ['00A404', '6700']
  ])
  converse(t, { holder: said, environment: 'sx2' }, [[select, '6A82'], [select.replace('7831', '7832'),
    `${fci.replace('7831', '7832')} 9000`]])
  converse(t, { holder: said, answers: 'get-response' }, [
    [select, '6113'], ['00C0000013', `${fci} 9000`], ['00B2012C00', '6C12'],
    ['00B2012C12', `${file05[0]} 9000`]
  ])
  converse(t, { holder: said, purse: purseOf(1) }, [
    [select, `${fci} 9000`], ['805C030204', '6E00'], ['00B2072C00', `${file05[6]} 9000`],
    ['00A4040008A000000632010106', '6A82'], ['00B2072C00', `${file05[6]} 9000`]
  ])
  const both = ssseChip({ holder: said, purse: purseOf(1) }, chance)
  both.transmit(unhex('00A4040008A000000632010105'), 'steady')
  t.equal(hex(both.transmit(unhex('805C030204'), 'steady') ?? new Uint8Array()), '000007D09000')
  t.equal(both.transmit(unhex('805C030204'), 'cut_before_commit'), null)
  const after = both.transmit(unhex('00B2072C00'), 'steady')
  t.equal(hex(after ?? new Uint8Array()), '6A82', 'nothing is selected')
})

t.test('read in hand: both names, T=0, and a card that leaves at every command', async t => {
  const ways: SsseDescription[] = [
    { holder: said }, { holder: said, environment: 'sx2' }, { holder: said, answers: 'get-response' },
    { holder: said, answers: 'get-response', environment: 'sx2', purse: purseOf(1) }
  ]
  for (const way of ways) {
    const chip = ssseChip(way, chance)
    const whole = putDown(chip)
    const read = async (hand: ReturnType<typeof putDown>) =>
      await readIdentity(conversing(hand.channel.transmit), null, rules)
    t.strictSame(await read(whole), { kind: 'read', identity: holder })
    for (let at = 0; at < whole.commands.length; at++) {
      const torn = await read(putDown(chip, { at, commit: 'before' }))
      t.match(torn, { kind: 'refused', reason: 'card_removed' })
      t.strictSame(await read(putDown(chip)), { kind: 'read', identity: holder }, `after it left at ${at}`)
    }
  }
})

/* ---- lanes on real readers ---- */

const here = { skip: whyNoFarm() ?? false, timeout: 300_000 }
const lanes = ['CLINIC', 'DESK', 'OLD'] as const

async function openClinic (t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'clinic-'))
  mkdirSync(join(dir, 'farm'))
  const farm = await startFarm({ dir: join(dir, 'farm'), pairs: [...lanes, 'PEER'].map(name => ({ name })) })
  const ledger = createServer((_, response) => { response.writeHead(204).end() })
  await new Promise<void>(resolve => ledger.listen(0, '127.0.0.1', resolve))
  const place: Place = { dir, farm, ledgerUrl: `http://127.0.0.1:${(ledger.address() as AddressInfo).port}` }
  await putPsam(place, 'CLINIC', 't-union', '990000000001')
  const lines: string[] = []
  const till = { operator: 'HOS', mode: 'till', transmitDeadlineMs: 1_500 } as const
  const gateway = await startGateway(place, 'GW-C', [], {
    onLine: line => lines.push(line),
    config: {
      lanes: [
        {
          ...till, lane: 'CLINIC', terminal: 'C1', readers: { card: 'CLINIC 00 00', psam: 'CLINIC 00 01' },
          identity: {}
        },
        {
          ...till, lane: 'DESK', terminal: 'C2', readers: { card: 'DESK 00 00' }, identity: { keepSeconds: 1 }
        },
        {
          ...till, lane: 'OLD', terminal: 'C3', readers: { card: 'OLD 00 00' },
          identity: { numberChecked: false }
        }
      ]
    }
  })
  t.teardown(async () => {
    await gateway.stop()
    await farm.stop()
    ledger.closeAllConnections()
    ledger.close()
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  })
  return { dir, farm, place, gateway, lines }
}

type Clinic = Awaited<ReturnType<typeof openClinic>>

let chips = 0
async function citizen (clinic: Clinic, lane: string, more: Partial<SsseDescription> = {}) {
  const chip = `citizen-${++chips}`
  await clinic.farm.createSsse({ chip, ssse: { holder: said, ...more } })
  return { chip, ...passenger(clinic.place, clinic.gateway, lane, chip) }
}

const who = async ({ url }: Running, { identity }: TapView, method = 'GET') => {
  const reply = await fetch(`${url}/v1/identities/${identity}`, { method })
  return { status: reply.status, body: reply.status === 204 ? null : await reply.json() as IdentityView }
}

t.test('a clinic counter on real readers', here, async t => {
  const clinic = await openClinic(t)
  const { farm, gateway } = clinic
  for (const lane of lanes) {
    const body = JSON.stringify({ seconds: 3_600 })
    const headers = { 'content-type': 'application/json' }
    const on = await fetch(`${gateway.url}/v1/tapes/lane-${lane}`, { method: 'PUT', headers, body })
    t.equal(on.status, 200)
  }

  await t.test('the counter learns who stands there, until it has it or another comes', async t => {
    const first = await citizen(clinic, 'CLINIC')
    const tap = await first.tap()
    t.match(tap, { outcome: 'approved', reason: 'identity_read', cardKey: null, amountFen: null })
    const known = await who(gateway, tap)
    t.match(known, { status: 200, body: { ...holder, identity: tap.identity, lane: 'CLINIC' } })
    t.equal(Date.parse(known.body?.forgottenAt ?? '') - Date.parse(known.body?.at ?? ''), 120_000)
    t.equal((await who(gateway, tap, 'DELETE')).status, 204)
    t.match([await who(gateway, tap), await who(gateway, tap, 'DELETE')], [{ status: 404 }, { status: 404 }])

    const again = await first.tap()
    t.not(again.identity, tap.identity)
    await farm.createCard({ chip: 'purse', card: purseOf(2) })
    const purse = passenger(clinic.place, gateway, 'CLINIC', 'purse')
    t.equal((await purse.tap()).reason, 'no_charge')
    t.equal((await who(gateway, again)).status, 404, 'the next card of the lane has taken its place')
    const bill = await gateway.post<ChargeView>(
      '/v1/lanes/CLINIC/charges', { amountFen: 350, reference: 'B-1' })
    t.equal((await first.tap()).reason, 'identity_read', 'a card without a purse')
    t.match(await gateway.get(`/v1/charges/${bill.body.charge}`), { state: 'waiting' })
    t.match(await purse.tap(), { reason: 'paid', amountFen: 350, charge: bill.body.charge })
  })

  await t.test('one card for both: identity, then the bill', async t => {
    const both = await citizen(clinic, 'CLINIC', { environment: 'sx2', purse: purseOf(3) })
    t.equal((await both.tap()).reason, 'identity_read')
    await gateway.post('/v1/lanes/CLINIC/charges', { amountFen: 480, reference: 'B-2' })
    const paid = (async () => {
      await gateway.tap('CLINIC')
      return await gateway.tap('CLINIC')
    })()
    await farm.insert({ chip: both.chip, reader: 'CLINIC 00 00' })
    t.match(await paid, { reason: 'paid', amountFen: 480, balanceAfterFen: 1_520 })
    await farm.remove({ reader: 'CLINIC 00 00' })
    await both.gone()
    const { purse } = await farm.inspectSsse({ chip: both.chip })
    t.match(purse?.purse, { balanceFen: 1_520, offlineCounter: 1 })
  })

  await t.test('cards that are not believed, at two lanes', async t => {
    const wrong = { ...said, idNumber: '110105194912310021' }
    const stories: readonly (readonly [string, Partial<SsseDescription>, string, RegExp?])[] = [
      ['DESK', { holder: { ...said, validUntil: '20260301' } }, 'card_expired'],
      ['DESK', { holder: { ...said, issuedOn: '20260303' } }, 'card_not_started'],
      ['DESK', { holder: wrong }, 'identity_number_wrong'],
      ['OLD', { holder: wrong }, 'identity_read'],
      ['OLD', { records: { EF06: [name] } }, 'identity_malformed', /^file 06, tag 01 wanted$/],
      ['DESK', { records: { EF05: [...file05.slice(0, 6), '0709'] } }, 'identity_malformed', /offset 1 says 9/],
      ['OLD', { guarded: ['EF06'] }, 'identity_guarded', /^file 06: 6982 /],
      ['OLD', { lockedSw: '6283' }, 'card_locked'],
      ['DESK', { records: { EF05: [] } }, 'identity_malformed', /^file 05, tag 07 wanted$/]
    ]
    await Promise.all(['DESK', 'OLD'].map(async lane => {
      for (const [, more, reason, why] of stories.filter(([at]) => at === lane)) {
        const tap = await (await citizen(clinic, lane, more)).tap()
        t.equal(tap.reason, reason)
        t.match(tap.why ?? '', why ?? /^$/, reason)
        t.equal(tap.identity !== undefined, reason === 'identity_read', reason)
      }
    }))
    await farm.createCard({ chip: 'purse at a desk', card: purseOf(4) })
    const stranger = passenger(clinic.place, gateway, 'DESK', 'purse at a desk')
    t.equal((await stranger.tap()).reason, 'card_unsupported')
    const { wrong: hindered } = await gateway.get<{ wrong: object[] }>('/readyz')
    t.strictSame(hindered, [], 'a desk without a PSAM turns nobody away')
  })

  await t.test('torn at every command, and back', async t => {
    const counted = await citizen(clinic, 'DESK')
    await counted.tap()
    const { length } = await farm.exchanges({ chip: counted.chip })
    t.equal(length, 1 + 8 + 6, 'SELECT, seven records and the end, five and the end')
    const stories = Array.from({ length }, (_, index) => index + 1)
    await Promise.all(lanes.map(async lane => {
      for (let nth = stories.shift(); nth !== undefined; nth = stories.shift()) {
        const one = await citizen(clinic, lane)
        const { chip } = one
        await farm.arm({ chip, fault: { kind: 'tear', commit: 'after', nth } })
        const torn = await one.tap()
        t.match(torn, { outcome: 'declined', cardKey: null }, `left at ${nth}`)
        t.ok(['card_removed', 'card_unreadable'].includes(torn.reason), torn.reason)
        t.equal(torn.identity, undefined)
        t.equal((await one.tap()).reason, 'identity_read', `back after ${nth}`)
      }
    }))
  })

  await t.test('T=0, an answer cut short, silence; and it is forgotten in time', async t => {
    t.equal((await (await citizen(clinic, 'OLD', { answers: 'get-response' })).tap()).reason, 'identity_read')
    const short = await citizen(clinic, 'OLD')
    await farm.arm({ chip: short.chip, fault: { kind: 'short', bytes: 5, command: '00B2072C' } })
    t.match(await short.tap(), { reason: 'card_unreadable', why: /^file 05: 3132 / }, 'what looks like a status')
    const silent = await citizen(clinic, 'OLD')
    await farm.arm({ chip: silent.chip, fault: { kind: 'silence', commit: 'before', command: '00B20334' } })
    t.match(await silent.tap(), { outcome: 'declined', reason: 'card_removed' })
    const tap = await (await citizen(clinic, 'DESK')).tap()
    while ((await who(gateway, tap)).status === 200) await delay(50)
    t.match(await who(gateway, tap), { status: 404, body: { reason: 'not_found' } }, 'one second')
  })

  await independentPeer(t, clinic)

  await t.test('nothing of a person on tapes, in the log, in figures, on disk', async t => {
    const texts = [
      clinic.lines.join('\n'), await (await fetch(`${gateway.url}/metrics`)).text(),
      JSON.stringify(await gateway.get('/v1/taps?limit=1000')),
      JSON.stringify(await gateway.get('/v1/lanes')),
      ...filesUnder(gateway.spoolDir).map(path => readFileSync(path).toString('latin1'))
    ].map(text => text.toUpperCase())
    t.ok(texts[0]?.includes('IDENTITY_READ'), 'the log tells that one was read')
    t.ok(texts.some(text => text.includes('"SAID":"00B20134 (5 BYTES)"')), 'the tape tells that it was asked')
    const secrets = [
      holder.name, holder.idNumber, '110105194912310021', holder.cardNumber, holder.cardId ?? '', '19491231',
      'D5C5C8FD'
    ]
    for (const secret of secrets.flatMap(shapesOf)) {
      t.notOk(texts.some(text => text.includes(secret)), `${secret.replace(/[^ -~]/g, '.')} is nowhere`)
    }
  })
})

/** As it is, in UTF-8, as digits of its bytes, and of digits the bytes. */
const shapesOf = (secret: string): string[] => [
  secret, Buffer.from(secret).toString('latin1'), Buffer.from(secret).toString('hex'),
  ...(/^([0-9A-F]{2})+$/.test(secret) ? [Buffer.from(secret, 'hex').toString('latin1')] : [])
].map(one => one.toUpperCase())

const filesUnder = (dir: string): string[] => readdirSync(dir).flatMap(name => {
  const path = join(dir, name)
  return statSync(path).isDirectory() ? filesUnder(path) : [path]
})

/** The files of the card through a PC/SC client of others. */
async function independentPeer (t: Test, { farm }: Clinic): Promise<void> {
  const tools = ['/usr/bin/opensc-tool', '/usr/bin/pcsc_scan']
  const none = !tools.every(path => existsSync(path)) &&
    'no opensc-tool, pcsc_scan (packages opensc, pcsc-tools)'
  await t.test('opensc-tool reads the files byte for byte', { skip: none }, async t => {
    await farm.createSsse({ chip: 'peer', ssse: { holder: said } })
    await farm.insert({ chip: 'peer', reader: 'PEER 00 00' })
    const ask = (program: string, ...args: string[]) => execFileSync(program, args, {
      encoding: 'utf8', env: { ...process.env, PCSCLITE_CSOCK_NAME: farm.socket }
    })
    const place = /(\d+): PEER 00 00$/m.exec(ask('pcsc_scan', '-r'))?.[1] ?? ''
    const commands = [
      select, ...file05.map((_, index) => `00B2 0${index + 1} 2C 00`),
      ...file06.map((_, index) => `00B2 0${index + 1} 34 00`), '00B2013C00'
    ].flatMap(command => ['-s', hex(unhex(command))])
    const answers = ask('opensc-tool', '-r', place, ...commands).split(/^Sending: .*$/m).slice(1)
    t.strictSame(answers.map(bytesOf), [
      hex(unhex(`${fci} 9000`)), ...[...file05, ...file06].map(record => hex(unhex(`${record} 9000`))), '6982'
    ])
  })
}

/** `Received (SW1=0x90, SW2=0x00):` and lines of sixteen bytes with their characters behind. */
function bytesOf (answer: string): string {
  const [, one = '', two = ''] = /SW1=0x([0-9A-F]{2}), SW2=0x([0-9A-F]{2})/.exec(answer) ?? []
  const lines = [...answer.matchAll(/^((?:[0-9A-F]{2} ){1,16})/gm)].map(([, bytes = '']) => bytes)
  return (lines.join('') + one + two).replaceAll(' ', '')
}

t.test('from another machine nobody learns who it is, and no PIN is taken', async t => {
  const identities = identityBook({ clock: manualClock(0), newId: () => 'id-1' })
  const pins = pinBook([{ lane: 'L1' }])
  const charges = chargeBook(() => 'charge-1')
  t.teardown(() => {
    identities.close()
    pins.close()
  })
  const lane = { view: () => ({ lane: 'L1', mode: 'load' }) }
  const served = {
    lanes: new Map([['L1', lane]]), identities, pins, charges, loads: { named: () => undefined }
  } as unknown as Served
  const app = buildApp(served)
  t.teardown(() => app.close())
  const id = identities.keep('L1', holder, 60_000)
  const url = `/v1/identities/${id}`
  const payload = { source: 'agent', amountFen: 100, reference: 'R', pin: '918273' }
  const order = { method: 'POST', url: '/v1/lanes/L1/loads', payload } as const
  for (const remoteAddress of ['192.0.2.7', '::ffff:10.0.0.7', '2001:db8::127.0.0.1']) {
    for (const asked of [{ method: 'GET', url } as const, { method: 'DELETE', url } as const, order]) {
      const { statusCode, body } = await app.inject({ ...asked, remoteAddress })
      t.equal(statusCode, 403, remoteAddress)
      t.match(JSON.parse(body), { reason: 'forbidden' })
      t.notMatch(body, /918273|A12345678/)
    }
  }
  for (const host of ['127.0.0.1.example.org:8080', 'gateway.example.org', '10.0.0.1', '[2001:db8::1]:80']) {
    t.equal((await app.inject({ url, headers: { host } })).statusCode, 403, `a page of ${host}`)
  }
  for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080']) {
    t.equal((await app.inject({ url, headers: { host } })).statusCode, 200, host)
  }
  for (const remoteAddress of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    const { statusCode, headers } = await app.inject({ url, remoteAddress })
    t.equal(statusCode, 200, remoteAddress)
    t.equal(headers['cache-control'], 'no-store')
  }
  t.equal(pins.of('L1', 'charge-1', 'card'), null)
  t.equal((await app.inject(order)).statusCode, 202)
  t.equal(hex(pins.of('L1', 'charge-1', 'card') ?? new Uint8Array()), '918273')
  t.equal(pins.of('L1', 'charge-1', 'another card'), null, 'it was given to one card')
  const wrong = await app.inject({ ...order, payload: { ...payload, pin: '91827' } })
  t.equal(wrong.statusCode, 400)
  t.notMatch(wrong.body, /91827/)
})

t.test('a PIN is overwritten when it is kept no longer', async t => {
  const pins = pinBook([{ lane: 'L1', keepPinSeconds: 1 }])
  pins.ordered('L1', 'one', '135790')
  pins.ordered('L1', 'one', undefined)
  const pin = pins.of('L1', 'one', 'card')
  t.equal(hex(pin ?? new Uint8Array()), '135790', 'an order that comes again without it keeps it')
  pins.forget('L1', 'another')
  t.equal(hex(pin ?? new Uint8Array()), '135790')
  pins.ordered('L1', 'two', undefined)
  t.equal(hex(pin ?? new Uint8Array()), '000000', 'another order of the lane')
  t.equal(pins.of('L1', 'two', 'card'), null)
  pins.ordered('L1', 'three', '246802')
  const other = pins.of('L1', 'three', 'card')
  while (pins.of('L1', 'three', 'card') !== null) await delay(50)
  t.equal(hex(other ?? new Uint8Array()), '000000', 'its time is over')
})
