// The virtual card and the virtual PSAM, without any reader: published and own worked examples byte for byte,
// every status word provoked, power cut at every command, and random bytes.

import fc from 'fast-check'
import t from 'tap'
import { hex, u16, u32, unhex } from '../schemas/epurse/hex.ts'
import { cardChip } from '../terminal-sim/card/card-chip.ts'
import {
  type CardDescription, type CardKeys, personalise, testMasterKeys
} from '../terminal-sim/card/description.ts'
import { type Purse, balanceFen, load, spend, spendableFen } from '../terminal-sim/card/purse.ts'
import { sw } from '../terminal-sim/card/response.ts'
import { next, steps } from '../terminal-sim/card/session.ts'
import { type CardState, createCard, reportCard } from '../terminal-sim/card/state.ts'
import { transmit } from '../terminal-sim/card/transmit.ts'
import type { PsamDescription } from '../terminal-sim/psam/description.ts'
import { createPsam, reportPsam, transmitPsam } from '../terminal-sim/psam/psam.ts'
import { createRandom, restoreRandom } from '../terminal-sim/random.ts'
import type { Power } from '../terminal-sim/reader/chip.ts'
import { type ArmedFault, armFault, delayMs, strike } from '../terminal-sim/reader/fault.ts'
import { scriptedChip } from '../terminal-sim/reader/scripted-chip.ts'
import { cutFrame } from '../terminal-sim/reader/vicc.ts'
import {
  type Table, ask, atWork, cardW, creditCommand, debitCommand, loadBy, play, psamW, purchase, selectCityUnion,
  selectPsam, selectTUnion, tableOf
} from './support/chip-table.ts'

/** UPDATE CAPP DATA CACHE: record 02 of file 17 (city union), a new record of file 1E (T-Union). */
const capp02 = '80DC02B830 022E00' + '00'.repeat(45)
const trip = '80DC00F030 06' + '00'.repeat(47)

/** What 8070 gets for the purchase of W. */
const purchaseData = '1A2B3C4D 002A 000000C8 06 20260105083015 01 00 0000000012345678'

/* ---- worked examples ---- */

t.test('worked example W: purchase, entry tap, load', async t => {
  const table = tableOf(cardW, psamW, '1A2B3C4D', 'A1A2A3A4', '5E6F7081')
  ask(table, 'card', selectCityUnion)
  ask(table, 'psam', selectPsam)
  play(t, table, `
    C> 805001020B01000000C89900000000010F
    C< 00002710 002A 000000 01 00 1A2B3C4D 9000
    P> 807000001C 1A2B3C4D 002A 000000C8 06 20260105083015 01 00 0000000012345678 08
    P< 00000123 25D18BBE 9000
    C> 805401000F 00000123 20260105 083015 25D18BBE 08
    C< 03FC20B1 F0853DA2 9000
    P> 8072000004 F0853DA2  P< 9000
    C> 805A000602002B08     C< F0853DA2 03FC20B1 9000
    C> 00B201C417           C< 002B 000000 000000C8 06 990000000001 20260105 083015 9000
    C> 805C000204           C< 00002648 9000
  `)
  play(t, table, `
    C> 805003020B01000000009900000000010F
    C< 00002648 002B 000000 01 00 A1A2A3A4 9000
    P> 807000001C A1A2A3A4 002B 00000000 09 20260105084000 01 00 0000000012345678 08
    P< 00000124 06B26007 9000
    C> ${capp02}            C< 9000
    C> 805401000F 00000124 20260105 084000 06B26007 08
    C< 71606A8C D63E90FC 9000
    P> 8072000004 D63E90FC  P< 9000
    C> 805A000902002C08     C< D63E90FC 71606A8C 9000
  `)
  play(t, table, `
    C> 805000020B01 00001388 990000000099 10
    C< 00002648 0007 01 00 5E6F7081 EF9FAE34 9000
    C> 805200000B 20260105 090000 C6EB3CCB 04
    C< 8A77D40A 9000
    C> 805C000204           C< 000039D0 9000
    C> 805A000202000808     C< C6EB3CCB 8A77D40A 9000
    C> 00B201C417           C< 0008 000000 00001388 02 990000000099 20260105 090000 9000
    C> 00B201D417           C< 0008 000000 00001388 02 990000000099 20260105 090000 9000
    C> 00B203C417           C< 002B 000000 000000C8 06 990000000001 20260105 083015 9000
  `)
  const { purse, log } = reportCard(table.card)
  t.match(purse, { balanceFen: 0x39D0, offlineCounter: 0x2C, onlineCounter: 8 })
  t.strictSame(log.map(({ type }) => type), [2, 9, 6], 'the newest record first')
  t.match(reportPsam(table.psam), { sequence: 0x125, errors: 0, locked: false })
})

const authCode = '850011223300112233'

/** MAC1, MAC2 and TAC of the purchase of W under other keys, with an authentication code, and as type 09. */
const variants = `
  keys      code  type  MAC1      MAC2      TAC
  1-level   no    06    25D18BBE  F0853DA2  03FC20B1
  1-level   no    09    2F74CCE1  F0853DA2  4A9BA229
  1-level   yes   06    6016D24C  F0853DA2  03FC20B1
  1-level   yes   09    BF88951B  F0853DA2  4A9BA229
  2-level   no    06    BB75B783  9E7B1952  03FC20B1
  2-level   no    09    388500A7  9E7B1952  4A9BA229
  2-level   yes   06    7CA1334C  9E7B1952  03FC20B1
  2-level   yes   09    C533E0E0  9E7B1952  4A9BA229
  SM4       no    06    A0D6A0F8  ECC80B00  1BFF4140
`
type Variant = {
  card: Partial<CardDescription>, psam: Partial<PsamDescription>, twoLevels: boolean, algorithm: string
}
const variantKeys: Readonly<Record<string, Variant>> = {
  '1-level': { card: {}, psam: {}, twoLevels: false, algorithm: '00' },
  '2-level': { card: { profile: 't-union' }, psam: { profile: 't-union' }, twoLevels: true, algorithm: '00' },
  SM4: {
    card: { suite: 'sm4' },
    psam: { keys: [{ version: 1, suite: 'sm4', key: 'A9640957A2532FF71C77395282A44A1F' }] },
    twoLevels: false,
    algorithm: '04'
  }
}

t.test('worked example W: other keys, codes and types', async t => {
  for (const row of variants.trim().split('\n').slice(1)) {
    const [keys = '', code, type, mac1, mac2, tac] = row.trim().split(/\s+/)
    const { card, psam, twoLevels, algorithm } = variantKeys[keys] as Variant
    const own = code === 'yes' ? { ...cardW, ...card, authCode } : { ...cardW, ...card }
    const table = tableOf(own, { ...psamW, ...psam }, '1A2B3C4D')
    const factors = twoLevels ? ['24', '0000000012345678 9900FF0000000000'] : ['1C', '0000000012345678']
    ask(table, 'card', twoLevels ? selectTUnion : selectCityUnion)
    ask(table, 'psam', twoLevels ? '00A40000028011' : selectPsam)
    if (code === 'yes') {
      play(t, table, `C> 80CA000009  C< ${authCode} 9000  P> 80CA000009 ${authCode}  P< 9000`)
    }
    play(t, table, `
      C> 8050${type === '06' ? '01' : '03'}020B01000000C89900000000010F
      C< 00002710 002A 000000 01 ${algorithm} 1A2B3C4D 9000
      P> 80700000${factors[0]} 1A2B3C4D 002A 000000C8 ${type} 20260105083015 01 ${algorithm} ${factors[1]} 08
      P< 00000123 ${mac1} 9000
    `)
    if (type === '09') play(t, table, `C> ${twoLevels ? trip : capp02}  C< 9000`)
    play(t, table, `
      C> 805401000F 00000123 20260105 083015 ${mac1} 08  C< ${tac} ${mac2} 9000
      P> 8072000004 ${mac2}  P< 9000
    `)
  }
})

t.test('W4: a card is blocked under secure messaging, and stays so', async t => {
  const table = tableOf(cardW, psamW, 'C0FFEE01', 'C0FFEE01', 'C0FFEE01', 'C0FFEE01', 'C0FFEE01', 'C0FFEE01')
  ask(table, 'card', selectCityUnion)
  play(t, table, `
    C> 841E000004 4366832D            C< 6984
    C> 0084000004                     C< C0FFEE01 9000
    C> 841E000004 4366832E            C< 6988
    C> 841E000004 4366832D            C< 6984
    C> 0084000004                     C< C0FFEE01 9000
    C> 805C000204                     C< 00002710 9000
    C> 841E000004 4366832D            C< 6984
    C> 0084000004                     C< C0FFEE01 9000
    C> 841E000004 4366832D            C< 9000
    C> 805001020B01 000000C8 990000000001 0F  C< 6985
  `)
  t.match(ask(table, 'card', selectCityUnion), /6A81$/, 'everybody hears it from SELECT')
  t.equal(reportCard(table.card).lock, 'temporary')
  for (const answer of ['6988', '6988', '9303']) {
    play(t, table, `
      C> 0084000004           C< C0FFEE01 9000
      C> 8418000004 00000000  C< ${answer}
    `)
  }
  t.equal(ask(table, 'card', selectCityUnion), '9303', 'three wrong keys lock it for ever')
})

t.test('an authentication code is signed by one MAC1', async t => {
  const table = tableOf(cardW, psamW)
  ask(table, 'psam', selectPsam)
  play(t, table, `
    P> 80CA000009 ${authCode}         P< 9000
    P> 807000001C ${purchaseData} 08  P< 00000123 6016D24C 9000
  `)
  table.psam = { ...table.psam, memory: { ...table.psam.memory, sequence: 0x123 } }
  play(t, table, `P> 807000001C ${purchaseData} 08  P< 00000123 25D18BBE 9000`)
})

t.test('keys of a card under the test masters', async t => {
  const one = personalise(cardW, testMasterKeys())
  t.equal(one.dpk, '823DFFCEE44C9F865DB871AFEFAE7E98')
  t.equal(one.dlk, 'FA1FE3DCF52B88F92378D120E99C45A3')
  t.equal(one.dtk, 'C0DBA7F6D107883762B0EA39992C0E8E')
  const twoLevels = { ...cardW, profile: 't-union' } as const
  t.equal(personalise(twoLevels, testMasterKeys()).dpk, '8AC516A7DDA8C0EEC31C44D89D86C3E1', 'city first')
  t.equal(personalise(twoLevels, testMasterKeys(), 'card-first').dpk, 'DCBF0B6EAC5D64AA8980410430A26583')
  t.equal(personalise(twoLevels, testMasterKeys()).dtk, one.dtk, 'the TAC key has one level')
  t.equal(one.damk, '681B429A8E3F8EDEC036AE34A5A83627')
  t.equal(personalise({ ...cardW, suite: 'sm4' }, testMasterKeys()).dpk, '92FE1C71C9CD0F9F7E367F54EB37C74C')
})

const newCard: CardDescription = { ...cardW, balanceFen: 0, offlineCounter: 0, onlineCounter: 0 }
const allKeys = (key: string): CardKeys => ({ dpk: key, dlk: key, dtk: key })

t.test('a real chip: the log of a Fudan card', async t => {
  const card = { ...newCard, keys: allKeys('00112233445566778899AABBCCDDEEFF') }
  const table = tableOf(card, psamW, 'E0B84748', 'C903814D', '584633C9')
  ask(table, 'card', selectCityUnion)
  play(t, table, `
    C> 805000020B01 00002000 001122334455 10  C< 00000000 0000 01 00 E0B84748 EA411F90 9000
    C> 805000020B01 00002000 001122334455 10  C< 00000000 0000 01 00 C903814D 03976C22 9000
    C> 805200000B 20161216 105800 8AFA5718 04 C< FA00066D 9000
    C> 00B201C400                             C< 0001 000000 00002000 02 001122334455 20161216 105800 9000
    C> 805001020B01 00000001 001122334455 0F  C< 00002000 0000 000000 01 00 584633C9 9000
    C> 805401000F 00000000 20161216 134600 D45737C5 08
    C< 8AF270DC 66B54A6B 9000
    C> 805C000204                             C< 00001FFF 9000
    C> 00B201C400                             C< 0001 000000 00000001 06 001122334455 20161216 134600 9000
  `)
})

t.test('a published example: electronic deposit and purse', async t => {
  const card: CardDescription = {
    ...newCard, profile: 'pboc', balanceFen: 0x1000, depositFen: 0,
    keys: allKeys('11223344556677888877665544332211')
  }
  const table = tableOf(card, psamW, '11223344', '11223344')
  ask(table, 'card', selectCityUnion)
  play(t, table, 'C> 805000010B01 00001000 001122334455 10  C< 00000000 0000 01 00 11223344 2988AE5A 9000')
  t.match(ask(table, 'card', '805200000B 20111221 214822 3A845BF0 04'), /^.{8}9000$/, 'its TAC is not known')
  play(t, table, `
    C> 805C000104                             C< 00001000 9000
    C> 805001020B01 00001000 001122334455 0F  C< 00001000 0000 000000 01 00 11223344 9000
  `)
  t.match(ask(table, 'card', '805401000F 00000001 20120229 135100 F15CAB75 08'), /^.{8}56988A139000$/)
  const { purse, deposit } = reportCard(table.card)
  t.match(purse, { balanceFen: 0, offlineCounter: 1, onlineCounter: 0 })
  t.match(deposit, { balanceFen: 0x1000, offlineCounter: 0, onlineCounter: 1 }, 'counters of its own')
})

/* ---- files ---- */

t.test('files of the T-Union card and PSAM in a device log', async t => {
  const file15 = '02313750FFFFFFFF 02 01 03104990600000000016 20170109 20991231 0000'
  const fci = `6F31 8408 A000000632010105 A525 9F080102 9F0C1E ${file15}`
  const card: CardDescription = {
    profile: 't-union', issuer: '02313750FFFFFFFF', serial: '03104990600000000016', startDate: '20170109',
    expiryDate: '20991231', province: '3600', city: '3750', interoperable: false, cardClass: 0xCA,
    balanceFen: 0x471C, offlineCounter: 0x59
  }
  const table = tableOf(card, { ...psamW, profile: 't-union', answers: 'get-response' }, '62020EC1')
  play(t, table, `
    C> 00A4040008 A000000632010105            C< ${fci} 9000
    C> 00A4040008 A000000632010105 00         C< ${fci} 9000
    C> 00A4040007 A0000006320101              C< ${fci} 9000
    C> 00A4040009 A00000000386980701          C< 6A82
    C> 00B0950000                             C< ${file15} 9000
    C> 00B0950C08                             C< 4990600000000016 9000
    C> 00B0970000                             C< 00000156 3600 3750 0000 CA ${'00'.repeat(49)} 9000
    C> 00B201F400                             C< ${'FF'.repeat(48)} 9000
    C> 805C030204                             C< 0000471C 9000
    C> 805003020B01 00000001 413101210198 0F  C< 0000471C 0059 000000 01 00 62020EC1 9000
    P> 00B095000E                             P< 610E
    P> 00C000000E                             P< 00000000 990000000001 01 00 0000 9000
    P> 00B0960006                             P< 6106
    P> 00C0000006                             P< 990000000001 9000
    P> 00A40000028011                         P< 611D
    P> 00C000001D
    P< 6F1B 8410 A0000006324D4F542E435053414D3031 A507 9F080102 9F0C00 9000
    P> 00B0970001                             P< 6101
    P> 00C0000001                             P< 01 9000
    P> 8070000024 62020EC1 0059 00000001 09 20190108151751 01 00 4990600000000016 02313750FFFFFFFF 08
    P< 6108
  `)
  t.match(ask(table, 'psam', '00C0000008'), /^00000123.{8}9000$/)
})

t.test('files of the city union, and the directories', async t => {
  const file15 = '9900FF0000000000 01 01 00990000000012345678 20200101 20991231 0100'
  const mf = '6F15 840E 315041592E5359532E4444463031 A503 880101'
  play(t, tableOf(cardW, psamW), `
    C> 00A404000E 315041592E5359532E4444463031  C< ${mf} 9000
    C> 00B2010C00  C< 7013 6111 4F09 A00000000386980701 5004 50424F43 9000
    C> 00A404000E 325041592E5359532E4444463031
    C< 6F25 840E 325041592E5359532E4444463031 A513 BF0C10 610E 4F09 A00000000386980701 870101 9000
    C> 00B0850000
    C< 9900 FF00 0000 0000 0000000012345678 0000 20200101 000000000000 0000 20200101 20991231 0000 9000
    C> 00A4000002 3F01
    C< 6F32 8409 A00000000386980701 A525 9F080101 9F0C1E ${file15} 9000
    C> 00A4000002 0015  C< 9000
    C> 00B0001408       C< 2020010120991231 9000
    C> 00B0960000       C< ${'00'.repeat(55)} 9000
    C> 00B202BC00       C< 022E00 ${'00'.repeat(45)} 9000
    C> 00B211B800       C< 111600 ${'00'.repeat(21)} 9000
    C> 00B20AC417       C< ${'FF'.repeat(23)} 9000
    C> 00A4000002 3F00  C< ${mf} 9000
    C> 00B0950000       C< 6A82
    P> 00A4040006 BDA8C9E8B2BF
    P< 6F28 8408 BDA8C9E8B2BF0000 A51C 9F0C19 01 FFFFFFFFFFFFFFFF FFFFFFFFFFFFFFFF 20200101 20991231 9000
  `)
  play(t, tableOf({ ...cardW, profile: 'pboc' }, psamW), `
    C> ${selectCityUnion}
    C< 6F2E 8409 A00000000386980701 A521 9F0C1E 9900FF0000000000 02 01 ${file15.slice(23, 61)} 0000 9000
    C> 00B0960000       C< ${'00'.repeat(39)} 9000
  `)
})

t.test('61xx: INITIALIZE and its GET RESPONSE are one step', async t => {
  play(t, tableOf({ ...cardW, settings: { answers: 'get-response' } }, psamW, '1A2B3C4D'), `
    C> ${selectCityUnion}  C< 6134
    C> 805001020B01000000C89900000000010F  C< 610F
    C> 00C0000004          C< 00002710 610B
    C> 00C00000FF          C< 6C0B
    C> 00C000000B          C< 002A 000000 01 00 1A2B3C4D 9000
    C> 805401000F 00000123 20260105 083015 25D18BBE 08  C< 6108
    C> 00C0000008          C< 03FC20B1 F0853DA2 9000
    C> 00C0000008          C< 6985
  `)
})

t.test('overdraft: real value first, then the limit; a load pays it back', async t => {
  const table = atWork({ profile: 't-union', balanceFen: 300, overdraft: { limitFen: 800 } })
  const balance = (p1: string) => Number.parseInt(ask(table, 'card', `805C${p1}0204`)?.slice(0, 8) ?? '', 16)
  const balances = () => ['00', '01', '02', '03'].map(balance)
  t.strictSame(balances(), [1100, 800, 0, 300], 'spendable, limit, used, real')
  t.equal(purchase(table, 1101), '9401', '11.01 is above 3.00 + 8.00')
  t.match(purchase(table, 500), /9000$/)
  t.strictSame(balances(), [600, 800, 200, 0])
  const { purse, log } = reportCard(table.card)
  t.equal(purse.balanceFen, -200)
  t.match(log, [{ overdraftFen: 800, amountFen: 500 }])
  t.match(loadBy(table, 150), /9000$/)
  t.strictSame(balances(), [750, 800, 50, 0])
  t.match(loadBy(table, 150), /9000$/)
  t.strictSame(balances(), [900, 800, 0, 100])
})

/* ---- the order of commands ---- */

const initLoad = '805000020B01 000000C8 990000000001 10'
const initPurchase = '805001020B01 000000C8 990000000001 0F'
const initCapp = '805003020B01 000000C8 990000000001 0F'
const wrongDebit = '805401000F 00000001 20260105 083015 00000000 08'
const wrongCredit = '805200000B 20260105 083015 00000000 04'

const waysInto = {
  idle: [],
  init_load: [initLoad],
  init_purchase: [initPurchase],
  init_capp: [initCapp],
  capp_cached: [initCapp, capp02]
}

/** What each command answers in each state; MACs are wrong, so a debit that is in order says 9302. */
const orders = `
  state          read balance challenge prove load  purchase capp 80DC  8052  8054
  idle           9000 9000    9000      9406  9000  9000     9000 6901  6901  6901
  init_load      9000 9000    9000      9406  9000  9000     9000 6901  9302  6901
  init_purchase  9000 9000    9000      9406  9000  9000     9000 6901  6901  9302
  init_capp      9000 9000    9000      9406  9000  9000     9000 9000  6901  6985
  capp_cached    9000 9000    9000      9406  9000  9000     9000 9000  6901  9302
`
const ordered: Readonly<Record<string, string>> = {
  read: '00B0950000', balance: '805C000204', challenge: '0084000004', prove: '805A000602000108',
  load: initLoad, purchase: initPurchase, capp: initCapp, '80DC': capp02, 8052: wrongCredit, 8054: wrongDebit
}
const goesOn = ['load', 'purchase', 'capp', '80DC']

t.test('every command in every state', async t => {
  const [[, ...names] = [], ...rows] = orders.trim().split('\n').map(row => row.trim().split(/\s+/))
  t.strictSame(rows.map(([state]) => state), Object.keys(next), 'every state has its row')
  for (const [state = '', ...expected] of rows) {
    for (const [index, name] of names.entries()) {
      const table = atWork()
      for (const command of waysInto[state as keyof typeof waysInto]) ask(table, 'card', command)
      t.equal(table.card.session.state, state)
      const status = ask(table, 'card', ordered[name] ?? '')?.slice(-4)
      t.equal(status, expected[index], `${name} in ${state}`)
      if (status === '9000' && goesOn.includes(name)) continue
      t.equal(table.card.session.state, 'idle', `${name} ends ${state}`)
      t.equal(ask(table, 'card', wrongDebit), '6901', 'the session is gone')
    }
  }
})

/* ---- status words ---- */

type Before = { card?: Partial<CardDescription>, before?: readonly string[] }
type Refusal = readonly [name: string, command: string, status: string, before?: Before]

const toMaster = '00A40000023F00'
const pin = { digits: '135790' }

const cardRefusals: readonly Refusal[] = [
  ['three bytes', '00A404', '6700'],
  ['Lc that lies', '00A4040009A0', '6700'],
  ['INITIALIZE without data', '805001020F', '6700'],
  ['DEBIT of 14 bytes', '805401000E' + '00'.repeat(14), '6700', { before: [initPurchase] }],
  ['GET CHALLENGE of 5', '0084000005', '6700'],
  ['CAPP record whose length byte lies', '80DC02B803 022E00', '6700', { before: [initCapp] }],
  ['trip record of 47 bytes', '80DC00F02F' + '00'.repeat(47), '6700', {
    card: { profile: 't-union' }, before: [initCapp]
  }],
  ['CREDIT out of order', wrongCredit, '6901'],
  ['DEBIT out of order, T-Union', wrongDebit, '6985', { card: { profile: 't-union' } }],
  ['READ BINARY of a record file', '00B0980000', '6981'],
  ['READ RECORD of a binary file', '00B201AC00', '6981'],
  ['UPDATE CAPP of file 0015', '80DC01AC03000000', '6981', { before: [initCapp] }],
  ['DEBIT of a composite purchase without its record', wrongDebit, '6985', { before: [initCapp] }],
  ['purchase outside the application', initPurchase, '6985', { before: [toMaster] }],
  ['balance outside the application', '805C000204', '6985', { before: [toMaster] }],
  ['load without the PIN', initLoad, '6982', { card: { pin } }],
  ['a PIN that is blocked', '0020000003135790', '6983', { card: { pin: { ...pin, tries: 0 } } }],
  ['VERIFY at a card without a PIN', '0020000003135790', '6A88'],
  ['VERIFY under another key', '0020000103135790', '6A88', { card: { pin } }],
  ['a PIN of one byte', '002000000113', '6700', { card: { pin } }],
  ['VERIFY outside the application', '0020000003135790', '6985', { card: { pin }, before: [toMaster] }],
  ['temporarily locked application', initPurchase, '6985', { card: { lock: 'temporary' } }],
  ['READ BINARY without a selected file', '00B0000000', '6986'],
  ['READ RECORD without a selected file', '00B2010400', '6986'],
  ['load beyond what four bytes hold', '805000020B017FFFFFFF99000000000110', '6A80'],
  ['CAPP record of another length', '80DC02B804 02020000', '6A80', { before: [initCapp] }],
  ['locked card', toMaster, '6A81', { card: { lock: 'card' } }],
  ['unknown name', '00A4040008A000000632010106', '6A82'],
  ['unknown file', '00B0810000', '6A82'],
  ['record past the end', '00B20BC417', '6A83'],
  ['record 0', '00B200C417', '6A83'],
  ['tag that is not there', '00B207B800', '6A83'],
  ['CAPP tag that is not there', '80DC07B830 072E00' + '00'.repeat(45), '6A83', { before: [initCapp] }],
  ['unknown P1 of INITIALIZE', '805007020B01 000000C8 990000000001 0F', '6A86'],
  ['P1 of DEBIT', wrongDebit.replace('80540100', '80540200'), '6A86', { before: [initPurchase] }],
  ['electronic deposit that the card has not', '805C000104', '6A86'],
  ['P1 of GET BALANCE that is no selector here', '805C030204', '6A86'],
  ['other data of GET DATA', '80CA9F7900', '6A88', { card: { profile: 'cjt166-auth' } }],
  ['offset behind the file', '00B0951E01', '6B00'],
  ['wrong Le', '00B0950020', '6C1E'],
  ['wrong Le of INITIALIZE', initPurchase.replace(/0F$/, '10'), '6C0F'],
  ['unknown instruction', '80AA000000', '6D00'],
  ['authentication code of a card without', '80CA000009', '6D00'],
  ['unknown class', '90B0950000', '6E00'],
  ['wrong MAC1', wrongDebit, '9302', { before: [initPurchase] }],
  ['wrong MAC2', wrongCredit, '9302', { before: [initLoad] }],
  ['block without a challenge', '841E000004 00000000', '6984'],
  ['block with a wrong MAC', '841E000004 00000000', '6988', { before: ['0084000004'] }],
  ['a file without secure messaging', '00D6950001AA', '6987'],
  ['permanently locked application', selectCityUnion, '9303', { card: { lock: 'permanent' } }],
  ['more than there is, at INITIALIZE', '805001020B01 00002711 990000000001 0F', '9401'],
  ['offline counter used up', initPurchase, '9402', { card: { offlineCounter: 0xFFFF } }],
  ['online counter used up', initLoad, '9402', { card: { onlineCounter: 0xFFFF } }],
  ['unknown purchase key', initPurchase.replace('0B01', '0B02'), '9403'],
  ['unknown load key', initLoad.replace('0B01', '0B02'), '9403'],
  ['proof of nothing', '805A000602002B08', '9406']
]

const psamRefusals: readonly Refusal[] = [
  ['MAC2 before MAC1', '8072000004F0853DA2', '6901'],
  ['purchase outside the application', `807000001C ${purchaseData} 08`, '6985', { before: [toMaster] }],
  ['code of 8 bytes', '80CA000008' + '00'.repeat(8), '6700'],
  ['a purchase of four levels', '8070000034' + '00'.repeat(52), '6700'],
  ['unknown key version', `807000001C ${purchaseData.replace(' 01 00 ', ' 02 00 ')} 08`, '9403'],
  ['MAC1 for a load', `807000001C ${purchaseData.replace(' 06 ', ' 02 ')} 08`, '6A80'],
  ['refused authentication code', '80CA000009 860011223300112233', '6300'],
  ['unknown application', '00A40000028011', '6A82'],
  ['unknown instruction', '80FA000000', '6D00']
]

t.test('every status word is provoked', async t => {
  const seen = new Set<string>()
  const provoke = (chip: 'card' | 'psam', [name, command, status, past = {}]: Refusal) => {
    const { card = {}, before = [] } = past
    const table = atWork(card)
    table.psam = createPsam({ ...psamW, authCodes: [authCode] })
    ask(table, 'psam', selectPsam)
    for (const step of before) ask(table, chip, step)
    const known = [reportCard(table.card), reportPsam(table.psam)]
    t.equal(ask(table, chip, command), status, `${chip}, ${name}: ${status}`)
    t.strictSame([reportCard(table.card), reportPsam(table.psam)], known, 'and nothing happened')
    seen.add(status)
  }
  for (const row of cardRefusals) provoke('card', row)
  for (const row of psamRefusals) provoke('psam', row)
  const missing = Object.entries(sw).filter(([name, value]) => name !== 'ok' && !seen.has(hex(u16(value))))
  t.strictSame(missing, [], 'every status word of the chips has a row here')
})

t.test('a PIN: three tries in a row, counted without power, verified until the next SELECT', async t => {
  const table = atWork({ pin })
  const left = () => reportCard(table.card).pinTriesLeft
  const [right, wrong] = ['0020000003135790', '0020000003000000']
  play(t, table, `
    C> ${initLoad}  C< 6982
    C> ${wrong}     C< 63C2
    C> ${right}     C< 9000
    C> ${wrong}     C< 63C2
    C> ${initLoad}  C< 6982
    C> 0020000004 13579000  C< 63C1`)
  t.equal(left(), 1)
  t.equal(ask(table, 'card', wrong, 'cut_before_commit'), null)
  t.equal(left(), 1, 'power went before it counted')
  ask(table, 'card', selectCityUnion)
  play(t, table, `C> ${right}  C< 9000`)
  t.equal(left(), 3)
  t.match(ask(table, 'card', initLoad), /9000$/)
  t.match(ask(table, 'card', initLoad), /9000$/, 'still verified')
  ask(table, 'card', selectCityUnion)
  play(t, table, `C> ${initLoad}  C< 6982`)
  t.equal(ask(table, 'card', wrong, 'cut_after_commit'), null)
  t.equal(left(), 2, 'power went after it counted')
  ask(table, 'card', selectCityUnion)
  play(t, table, `
    C> ${wrong}  C< 63C1
    C> ${wrong}  C< 63C0
    C> ${right}  C< 6983`)
  t.equal(left(), 0)
  t.match(ask(table, 'card', initPurchase), /9000$/, 'a purchase wants none')
  t.equal(reportCard(atWork().card).pinTriesLeft, null)
})

t.test('locks', async t => {
  for (const status of ['6A81', '6283', '6284']) {
    const settings = { lockedSw: Number.parseInt(status, 16) }
    const { card } = atWork({ lock: 'temporary', settings })
    const table = { ...atWork(), card }
    t.match(ask(table, 'card', selectCityUnion), new RegExp(`^6F32.*${status}$`), `FCI, and ${status}`)
    t.equal(ask(table, 'card', '805A000602002B08'), '6985')
  }
  const table = atWork()
  table.card = withLockByte(table.card)
  ask(table, 'card', initCapp)
  t.equal(ask(table, 'card', capp02), '6985', 'a record whose application lock byte is set')
  const capp04 = capp02.replace('DC02', 'DC04').replace('022E', '042E')
  t.match(purchase(table, 100, { updates: [capp04] }), /9000$/, 'another industry goes on')
})

/** Record 02 of file 17: its third byte. */
function withLockByte (card: CardState): CardState {
  const file = card.memory.application['0017']
  if (file?.kind !== 'tagged') throw new Error('no file of tagged records')
  const records = file.records.map(record => record.replace(/^022E00/, '022E01'))
  const application = { ...card.memory.application, '0017': { ...file, records } }
  return { ...card, memory: { ...card.memory, application } }
}

t.test('a wrong MAC2 locks the PSAM in the end; a right one forgives', async t => {
  const table = tableOf(cardW, psamW)
  const makeMac1 = () => ask(table, 'psam', `807000001C ${purchaseData} 08`)
  const wrong = () => ask(table, 'psam', '8072000004 00000000')
  ask(table, 'psam', selectPsam)
  for (const sequence of [0x123, 0x124]) {
    t.equal(makeMac1()?.slice(0, 8), hex(u32(sequence)))
    t.equal(wrong(), '9302')
  }
  t.equal(ask(table, 'psam', '8072000004 F0853DA2'), '6901', 'one try per MAC1')
  table.psam = { ...table.psam, memory: { sequence: 0x123, errors: 2, locked: false } }
  makeMac1()
  t.equal(ask(table, 'psam', '8072000004 F0853DA2'), '9000')
  t.equal(reportPsam(table.psam).errors, 0)
  for (let count = 1; count <= 3; count++) {
    makeMac1()
    t.equal(wrong(), '9302')
  }
  t.equal(makeMac1(), '9303')
  t.equal(reportPsam(table.psam).locked, true)
})

/* ---- power ---- */

const capp02WithAa = capp02.replace('022E0000', '022E00AA')

type Tearable = {
  name: string, profile: CardDescription['profile'], type: '02' | '06' | '09', commands: readonly string[]
}

/** The last command is made from the answer of the first. */
const tearables: readonly Tearable[] = [
  { name: 'purchase', profile: 'pboc', type: '06', commands: [initPurchase] },
  { name: 'composite purchase', profile: 'cjt166', type: '09', commands: [initCapp, capp02WithAa] },
  { name: 'composite purchase, T-Union', profile: 't-union', type: '09', commands: [initCapp, trip] },
  { name: 'load', profile: 'cjt166', type: '02', commands: [initLoad] }
]

function lastCommand ({ profile, type, commands }: Tearable): string {
  const table = atWork({ profile })
  const init = ask(table, 'card', commands[0] ?? '') ?? ''
  if (type === '02') return creditCommand(table.card, init, 200)
  return debitCommand(table.card, init, 200, Number(type))
}

t.test('power cut before and after the commit, at every command', async t => {
  for (const tearable of tearables) {
    const select = tearable.profile === 't-union' ? selectTUnion : selectCityUnion
    const commands = [select, ...tearable.commands, lastCommand(tearable)]
    for (const at of commands.keys()) {
      for (const power of ['cut_before_commit', 'cut_after_commit'] as const) {
        t.test(`${tearable.name}, ${power} at ${at}`, async t => {
          const { profile, type } = tearable
          const table = { ...atWork({ profile }), card: createCard({ ...cardW, profile }) }
          const before = reportCard(table.card)
          for (const command of commands.slice(0, at)) t.match(ask(table, 'card', command), /9000$/)
          t.equal(ask(table, 'card', commands[at] ?? '', power), null, 'no answer')
          t.equal(ask(table, 'card', '805C000204'), '6985', 'without power nothing is selected')

          const committed = at === commands.length - 1 && power === 'cut_after_commit'
          const counter = hex(u16((type === '02' ? 7 : 0x2A) + 1))
          ask(table, 'card', select)
          const proof = ask(table, 'card', `805A00${type}02${counter}08`)
          t.match(proof, committed ? /^.{16}9000$/ : /^9406$/, 'the proof tells')
          const after = reportCard(table.card)
          if (!committed) t.strictSame(after, before, 'nothing happened')
          else {
            t.equal(after.purse.balanceFen - before.purse.balanceFen, type === '02' ? 200 : -200)
            t.equal(after.log.length, 1)
            const isRecordNew = JSON.stringify(after.capp) !== JSON.stringify(before.capp)
            t.equal(isRecordNew, type === '09', 'the record came with the money')
          }
          t.match(purchase(table, 100), /9000$/, 'and the card goes on')
        })
      }
    }
  }
})

t.test('power cut at the PSAM: a sequence number that was given is never given again', async t => {
  const table = tableOf(cardW, psamW)
  const again = () => {
    ask(table, 'psam', selectPsam)
    return ask(table, 'psam', `807000001C ${purchaseData} 08`)?.slice(0, 8)
  }
  ask(table, 'psam', selectPsam)
  ask(table, 'psam', `807000001C ${purchaseData} 08`, 'cut_before_commit')
  t.equal(again(), '00000123')
  ask(table, 'psam', `807000001C ${purchaseData} 08`, 'cut_after_commit')
  t.equal(ask(table, 'psam', '8072000004 00000000'), '6985', 'and what it waited for is forgotten')
  t.equal(again(), '00000125', 'a gap')
})

t.test('composite purchase: records and money together or not at all', async t => {
  const table = atWork()
  const record = (index: number) => reportCard(table.card).capp['0017']?.[index]?.slice(0, 8)
  const other = '80DC04B830 042E00BB' + '00'.repeat(44)

  for (const command of [initCapp, capp02WithAa]) t.equal(ask(table, 'card', command)?.slice(-4), '9000')
  t.equal(record(1), '022E0000', 'cached, not written')
  t.equal(ask(table, 'card', wrongDebit), '9302')
  t.equal(record(1), '022E0000', 'a refused debit writes nothing')

  t.match(purchase(table, 200, { updates: [capp02WithAa, other] }), /9000$/)
  t.strictSame([record(1), record(3)], ['022E00AA', '042E00BB'], 'two records in one debit')

  const interrupted = [capp02WithAa.replace('AA', 'CC'), '805C000204']
  t.equal(purchase(table, 200, { updates: interrupted }), '6901', 'any other command drops the cache')
  t.match(purchase(table, 200, { updates: [other] }), /9000$/)
  t.equal(record(1), '022E00AA', 'and it does not come back with the next debit')
})

t.test('trip records of T-Union', async t => {
  const table = atWork({ profile: 't-union' })
  const ongoing = '80DC01D080 2701 7D 01' + 'EE' + '00'.repeat(123)
  t.match(purchase(table, 0, { updates: [trip, ongoing] }), /9000$/, 'amount 0 is legal')
  const { purse, capp } = reportCard(table.card)
  t.match(purse, { balanceFen: 0x2710, offlineCounter: 0x2B })
  t.equal(capp['001E']?.length, 1, 'appended')
  t.equal(capp['001A']?.[0]?.slice(0, 10), '27017D01EE', 'written in place')
  for (let count = 0; count < 31; count++) {
    purchase(table, 0, { updates: [trip.replace('0600', '06' + count.toString(16).padStart(2, '0'))] })
  }
  t.equal(reportCard(table.card).capp['001E']?.length, 30, 'a ring of 30')
  t.equal(ask(table, 'card', '00B201F430')?.slice(0, 4), '061E', 'the newest first')
})

/* ---- any bytes ---- */

const knownCommands = [
  selectCityUnion, selectTUnion, selectPsam, initLoad, initPurchase, initCapp, capp02, trip,
  wrongDebit, wrongCredit, '00C0000000', '00B0950000', '805A000602002B08', '8072000004F0853DA2',
  `807000001C ${purchaseData} 08`
]
const header = fc.tuple(fc.constantFrom(...steps), fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 50 }))
const anyCommand = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  header.map(([{ cla, ins, p1 }, any1, any2, data]) =>
    Uint8Array.of(cla, ins, p1 ?? any1, any2, data.length, ...data)),
  fc.constantFrom(...knownCommands).map(unhex)
)
const profiles = ['pboc', 'cjt166', 'cjt166-auth', 't-union'] as const
const anySession = fc.record({
  profile: fc.constantFrom(...profiles),
  answers: fc.constantFrom('direct' as const, 'get-response' as const),
  commands: fc.array(anyCommand, { maxLength: 30 })
})

t.test('no bytes make a chip throw or move money', async t => {
  fc.assert(fc.property(anySession, ({ profile, answers, commands }) => {
    let card = createCard({ ...cardW, profile, settings: { answers } })
    let psam = createPsam({ ...psamW, profile, answers })
    const memory = JSON.stringify(card.memory)
    for (const command of commands) {
      const done = transmit(card, command, { random: count => new Uint8Array(count) })
      const donePsam = transmitPsam(psam, command)
      card = done.card
      psam = donePsam.psam
      for (const response of [done.response, donePsam.response]) {
        if (response === null || response.length < 2 || response.length > 255) return false
      }
    }
    return JSON.stringify(card.memory) === memory
  }), { numRuns: 500, seed: 20260105 })
  t.pass('500 sessions')
})

const anyEvent = fc.record({
  kind: fc.constantFrom('load', 'purchase', 'capp'),
  amountFen: fc.nat(2_000),
  power: fc.constantFrom<Power>('steady', 'cut_before_commit', 'cut_after_commit')
})

t.test('any history: the sum holds, and no real value stands beside used overdraft', async t => {
  fc.assert(fc.property(fc.array(anyEvent, { maxLength: 25 }), events => {
    const table = atWork({ ...newCard, profile: 't-union', balanceFen: 1_000, overdraft: { limitFen: 800 } })
    let expectedFen = 1_000
    for (const { kind, amountFen, power } of events) {
      const isTooMuch = kind !== 'load' && amountFen > expectedFen + 800
      const updates = kind === 'capp' ? [trip] : []
      ask(table, 'card', selectTUnion)
      const answer = kind === 'load'
        ? loadBy(table, amountFen, power)
        : purchase(table, amountFen, { power, updates })
      if (isTooMuch !== (answer === '9401')) return false
      if (!isTooMuch && power !== 'cut_before_commit') expectedFen += kind === 'load' ? amountFen : -amountFen
      if (!isSound(table, expectedFen)) return false
    }
    return true
  }), { numRuns: 200, seed: 20260105 })
  t.pass('200 histories')
})

function isSound ({ card }: Table, expectedFen: number): boolean {
  const { purse, log } = reportCard(card)
  const isOneSided = purse.realFen === 0 || purse.usedFen === 0
  const events = purse.offlineCounter + purse.onlineCounter
  return purse.balanceFen === expectedFen && isOneSided && log.length === Math.min(10, events)
}

t.test('purse arithmetic', async t => {
  const purse: Purse = { realFen: 300, usedFen: 0, limitFen: 800, offlineCounter: 0, onlineCounter: 0 }
  t.equal(balanceFen(spend(purse, 1_100)), -800)
  t.equal(spendableFen(spend(purse, 1_100)), 0)
  t.throws(() => spend(purse, 1_101))
  t.throws(() => load(purse, 0x7fff_ffff))
})

/* ---- around the chips ---- */

t.test('a card keeps its memory through loss of power and through a snapshot', async t => {
  const chip = cardChip(cardW, createRandom(1))
  chip.transmit(unhex(selectCityUnion), 'steady')
  t.equal(hexOrNull(chip.transmit(unhex('805C000204'), 'steady')), '000027109000')
  chip.reset()
  t.equal(hexOrNull(chip.transmit(unhex('805C000204'), 'steady')), '6985')
  t.equal(hex(chip.atr).slice(0, 8), '3B888001', 'contactless, T=1 offered')

  const table = atWork()
  t.match(purchase(table, 200), /9000$/)
  const again = cardChip(cardW, createRandom(1), JSON.parse(JSON.stringify(table.card.memory)))
  t.strictSame(again.report(), reportCard(table.card))
})

const hexOrNull = (bytes: Uint8Array | null) => bytes && hex(bytes)

t.test('descriptions that cannot be', async t => {
  t.throws(() => createCard({ ...cardW, pin: { digits: '135' } }), /card\.pin\.digits/)
  t.throws(() => createCard({ ...cardW, pin: { ...pin, tries: 16 } }), /card\.pin\.tries/)
  const wrongCards: readonly [Partial<CardDescription>, RegExp][] = [
    [{ serial: '0099' }, /card\.serial: 10 bytes/],
    [{ issuer: 'xx' }, /card\.issuer: 8 bytes/],
    [{ balanceFen: -1 }, /card\.balanceFen/],
    [{ balanceFen: 1.5 }, /card\.balanceFen/],
    [{ overdraft: { limitFen: 100, usedFen: 101 } }, /usedFen/],
    [{ balanceFen: 1, overdraft: { limitFen: 100, usedFen: 1 } }, /no used overdraft/],
    [{ keys: allKeys('00') }, /card\.keys\.dpk: 16 bytes/],
    [{ profile: 'visa' as 'pboc' }, /no family named visa/]
  ]
  for (const [wrong, message] of wrongCards) t.throws(() => createCard({ ...cardW, ...wrong }), message)
  t.throws(() => createPsam({ ...psamW, terminal: '99' }), /psam\.terminal: 6 bytes/)
  t.throws(() => createPsam({ ...psamW, errorsMax: 0 }), /psam\.errorsMax/)
})

/** The purchase of a real terminal, 2019-01-08; keys unknown, so scripts stand for card and PSAM. */
const deviceLog = {
  card: [
    ['805C030204', '0000471C 9000'],
    ['805003020B 01 00000001 413101210198 0F', '0000471C 0059 000000 01 00 62020EC1 9000'],
    [trip, '9000'],
    ['805401000F 000001E7 20190108151751 B915CAE7 08', '4FE3D8DD 046BF062 9000']
  ],
  psam: [
    ['8070000024 62020EC1 0059 00000001 09 20190108151751 0100 4990600000000016 02313750FFFFFFFF 08', '6108'],
    ['00C0000008', '000001E7 B915CAE7 9000'],
    ['8072000004 046BF062', '9000']
  ]
} as const

t.test('a scripted chip replays a device log', async t => {
  for (const exchanges of Object.values(deviceLog)) {
    const chip = scriptedChip({ atr: '3B00', exchanges })
    for (const [command, answer] of exchanges) {
      t.equal(hexOrNull(chip.transmit(unhex(command), 'steady')), answer.replaceAll(' ', ''))
    }
    t.equal(hexOrNull(chip.transmit(unhex('00A4000000'), 'steady')), '6D00')
  }
  const twice = [['0084000004', '01 9000'], ['00 84 00 00 04', '02 9000']] as const
  const inTurn = scriptedChip({ atr: '3B00', exchanges: twice })
  const draws = [1, 2, 3].map(() => hexOrNull(inTurn.transmit(unhex('0084000004'), 'steady')))
  t.strictSame(draws, ['019000', '029000', '029000'])
  t.equal(inTurn.transmit(unhex('0084000004'), 'cut_after_commit'), null)
})

t.test('faults strike at their command, once', async t => {
  const [debit, read] = [unhex(wrongDebit), unhex('00B0950000')]
  let armed: readonly ArmedFault[] = [
    armFault({ kind: 'tear', commit: 'after', command: '8054', nth: 2 }),
    armFault({ kind: 'silence', commit: 'before', nth: 5 })
  ]
  const struck = [read, debit, read, debit, read, read].map(command => {
    const done = strike(armed, command)
    armed = done.armed
    return done.struck?.kind ?? null
  })
  t.strictSame(struck, [null, null, null, 'tear', 'silence', null])
  const delays = { 8070: 120, '': 4, 80: 7 }
  t.strictSame([unhex('8070'), unhex('8054'), read].map(command => delayMs(delays, command)), [120, 7, 4])
  t.equal(delayMs({}, read), 0)
  t.throws(() => armFault({ kind: 'short', bytes: 0 }), /1 byte or more/)
  t.throws(() => armFault({ kind: 'tear', commit: 'after', nth: 0 }), /n from 1/)
  t.throws(() => armFault({ kind: 'status', sw: '90' }), /4 hex digits/)
  t.throws(() => armFault({ kind: 'cut', bytes: 1, command: '8x' }), /not hexadecimal/)
})

t.test('frames of the virtual reader: whole, in pieces, glued', async t => {
  const whole = unhex('0005 00B0950000 0001 04')
  const first = cutFrame(whole)
  t.equal(hexOrNull(first?.frame ?? null), '00B0950000')
  t.strictSame(cutFrame(first?.rest ?? unhex('')), { frame: unhex('04'), rest: unhex('') })
  for (let cut = 0; cut < 7; cut++) t.equal(cutFrame(whole.subarray(0, cut)), null, `cut at ${cut}`)
  t.strictSame(cutFrame(unhex('0000')), { frame: unhex(''), rest: unhex('') })
})

t.test('chance that can be repeated', async t => {
  const reference = restoreRandom({ seed: 'reference', words: [1, 2, 3, 4] })
  t.strictSame([1, 2, 3, 4].map(reference.uint32), [11520, 0, 5927040, 70819200], 'xoshiro128** as published')
  const [one, other] = [createRandom('city'), createRandom('city')]
  t.strictSame(one.bytes(8), other.bytes(8))
  t.strictSame(one.shuffle([1, 2, 3, 4, 5]), other.shuffle([1, 2, 3, 4, 5]))
  t.equal(restoreRandom(one.save()).uint32(), one.uint32(), 'goes on where it was')
  t.strictSame(one.fork('A').bytes(4), other.fork('A').bytes(4), 'a fork does not depend on what was drawn')
  t.notSame(one.fork('A').bytes(4), one.fork('B').bytes(4))
  const draws = Array.from({ length: 3_000 }, () => one.int(0, 2))
  for (const value of [0, 1, 2]) {
    t.ok(draws.filter(draw => draw === value).length > 900, `about a third is ${value}`)
  }
  t.throws(() => one.pick([]), /nothing to pick/)
})
