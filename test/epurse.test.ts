// The purse's wire language against numbers that others have published, chip output among them, and against
// itself: every decoder on any bytes, every layout both ways.

import t from 'tap'
import { buildSsseRecord, readSsseRecord, ssseNames } from '../schemas/ssse/files.ts'
import fc from 'fast-check'
import { createCipheriv, createECDH, createHash } from 'node:crypto'
import * as apdu from '../schemas/epurse/apdu.ts'
import {
  cjtIssuer, decodeCappRecord, decodeOngoingTrip, encodeCappRecord, file0005, file0015, file0015Cjt,
  file0015TUnion, file0016Long, file0016Short, file0017TUnion, logRecord, ongoingTrip, ongoingTripShort,
  panOf, psam0015, psam0016, psam0017, tripRecord
} from '../schemas/epurse/files.ts'
import {
  bcd, concat, equalConstantTime, hex, readU16, readU24, readU32, u16, u24, u32, unbcd, unhex
} from '../schemas/epurse/hex.ts'
import { desChain } from '../schemas/epurse/des.ts'
import { cardFactor, diversifier, diversify, orderFactors } from '../schemas/epurse/keys.ts'
import { decode, encode, field, type Fields, layout, type Layout } from '../schemas/epurse/layout.ts'
import * as mac from '../schemas/epurse/mac.ts'
import { type FileToRead, type Profile, profiles, selectionOrder } from '../schemas/epurse/profiles.ts'
import { describeStatus, isLocked, isOk, statusWords } from '../schemas/epurse/status-words.ts'
import { type Suite, suites } from '../schemas/epurse/suite.ts'
import { transactionTypeName, transactionTypes } from '../schemas/epurse/transaction-types.ts'

/* ---- vectors ---- */

type Given = Readonly<Record<string, string | number>>
type Operation =
  (bytes: (name: string) => Uint8Array, number: (name: string) => number, suite: Suite) => Uint8Array
/** Where the figures come from, what is computed, from what (bytes as hex text), what must come out. */
type Vector = readonly [origin: string, what: keyof typeof operations, given: Given, expected: string]

const purchase = (b: (name: string) => Uint8Array, n: (name: string) => number) =>
  ({ amountFen: n('amount'), type: n('type'), terminal6: b('terminal'), date4: b('date'), time3: b('time') })

const operations = {
  'first 16 bytes of SHA-256': b => createHash('sha256').update(b('text')).digest().subarray(0, 16),
  'diversify by one factor': (b, n, suite) => diversify(suite, b('key'), [b('card')]),
  'diversify, master kept': (b, n, suite) => diversifier(suite, b('key'))(b('card')),
  'diversify, city first': (b, n, suite) =>
    diversify(suite, b('key'), orderFactors('city-first', b('city'), b('card'))),
  'diversify, card first': (b, n, suite) =>
    diversify(suite, b('key'), orderFactors('card-first', b('city'), b('card'))),

  'load session key': (b, n, suite) =>
    mac.loadSessionKey({ suite, dlk: b('key'), rand4: b('rand'), counter: n('counter') }),
  'load MAC1': (b, n, suite) => mac.loadMac1({
    suite, sessionKey: b('session'), oldBalanceFen: n('old'), amountFen: n('amount'), type: n('type'),
    terminal6: b('terminal')
  }),
  'load MAC2': (b, n, suite) => mac.loadMac2({ suite, sessionKey: b('session'), ...purchase(b, n) }),
  'load TAC': (b, n, suite) => mac.loadTac({
    suite, dtk: b('key'), newBalanceFen: n('new'), counter: n('counter'), ...purchase(b, n)
  }),

  'purchase session key': (b, n, suite) => mac.purchaseSessionKey({
    suite, dpk: b('key'), rand4: b('rand'), counter: n('counter'), sequence4: b('sequence')
  }),
  'purchase MAC1': (b, n, suite) => mac.purchaseMac1({ suite, sessionKey: b('session'), ...purchase(b, n) }),
  'purchase MAC1 with code': (b, n, suite) =>
    mac.purchaseMac1({ suite, sessionKey: b('session'), ...purchase(b, n), authCode9: b('code') }),
  'purchase MAC2': (b, n, suite) =>
    mac.purchaseMac2({ suite, sessionKey: b('session'), amountFen: n('amount') }),
  'TAC key': (b, n, suite) => suite.tacKey(b('key')),
  'purchase TAC': (b, n, suite) =>
    mac.purchaseTac({ suite, dtk: b('key'), sequence4: b('sequence'), ...purchase(b, n) }),

  'secure messaging: encrypt': (b, n, suite) =>
    mac.secureMessagingEncrypt({ suite, key: b('key'), plain: b('plain') }),
  'secure messaging: decrypt': (b, n, suite) =>
    mac.secureMessagingDecrypt({ suite, key: b('key'), cryptogram: b('cryptogram') }) ?? new Uint8Array(0),
  'secure messaging: MAC': (b, n, suite) =>
    mac.secureMessagingMac({ suite, key: b('key'), challenge: b('challenge'), message: b('message') }),
  'external authentication': (b, n, suite) =>
    mac.externalAuthCryptogram({ suite, key: b('key'), challenge: b('challenge') }),
  'block cipher': (b, n, suite) => suite.encrypt(b('key'), b('plain')),
  'block cipher, backwards': (b, n, suite) => suite.decrypt(b('key'), b('cryptogram')),
  'MAC under a session key': (b, n, suite) => suite.mac(b('key'), b('data')),

  'grey lock session key': (b, n, suite) => mac.greyLockSessionKey({
    suite, dgk: b('key'), rand4: b('rand'), counter: n('counter'), sequence4: b('sequence'),
    terminalRand4: b('terminalRand')
  }),
  'grey lock MAC1': (b, n, suite) =>
    mac.greyLockMac1({ suite, sessionKey: b('session'), ...purchase(b, n) }),

  // CBC over zeros, started with the text, is the same as enciphering it again and again.
  'SM4 a million times': b => {
    const cipher = createCipheriv('sm4-cbc', b('key'), b('plain'))
    return cipher.update(new Uint8Array(16_000_000)).subarray(-16)
  },
  SM3: b => createHash('sm3').update(b('text')).digest(),
  'SM2 ZA': b => sm2IdentityHash(b('private'), b('identity')),
  'SM2 e': b => sm2Digest(b('private'), b('identity'), b('text')),
  'SM2 r': b => sm2Recovered(b('private'), b('signature'), sm2Digest(b('private'), b('identity'), b('text')))
} as const satisfies Record<string, Operation>

// SM2 (GM/T 0003) as far as Node's curve and hash go; s·G + t·P is (s + t·d)·G for who knows d.

const sm2Curve = {
  a: 'FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC',
  b: '28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93',
  g: '32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7' +
    'BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0',
  n: BigInt('0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123')
}
const whole = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes)}`)
const bytes32 = (value: bigint): Uint8Array => unhex(value.toString(16).padStart(64, '0'))

/** x ‖ y of scalar · G. */
function sm2Point (scalar: Uint8Array): Uint8Array {
  const curve = createECDH('SM2')
  curve.setPrivateKey(scalar)
  return curve.getPublicKey().subarray(1)
}
function sm2IdentityHash (secret: Uint8Array, identity: Uint8Array): Uint8Array {
  const { a, b, g } = sm2Curve
  return createHash('sm3').update(u16(identity.length * 8)).update(identity)
    .update(unhex(a + b + g)).update(sm2Point(secret)).digest()
}
const sm2Digest = (secret: Uint8Array, identity: Uint8Array, text: Uint8Array): Uint8Array =>
  createHash('sm3').update(sm2IdentityHash(secret, identity)).update(text).digest()
/** Verification's r: the digest plus x of s·G + (r + s)·P. */
function sm2Recovered (secret: Uint8Array, signature: Uint8Array, digest: Uint8Array): Uint8Array {
  const { n } = sm2Curve
  const [r, s] = [whole(signature.subarray(0, 32)), whole(signature.subarray(32))]
  const point = sm2Point(bytes32((s + (r + s) * whole(secret)) % n))
  return bytes32((whole(digest) + whole(point.subarray(0, 32))) % n)
}

const ascii = (text: string): string => Buffer.from(text, 'ascii').toString('hex')

const published = 'published worked example, simulated'
const keyA = '11223344556677888877665544332211'
const terminalA = '001122334455'
const loadA = { session: '9B1D924E05595603', amount: 0x1000, type: 0x01, terminal: terminalA }
const purchaseA = {
  session: '003238ABC57659DD', amount: 0x1000, type: 0x06, terminal: terminalA, date: '20120229',
  time: '135100'
}

const chip = 'Fudan chip log 2016'
const keyB = '00112233445566778899AABBCCDDEEFF'
const loadB = { amount: 0x2000, type: 0x02, terminal: terminalA, date: '20161216', time: '105800' }
const purchaseB = { amount: 1, type: 0x06, terminal: terminalA, date: '20161216', time: '134600' }

const psamLoad = 'published PSAM key load'
const keyLoad = `220000 ${keyB}`
const keyLoadCryptogram = 'DCC0BB5793ABFCA2 CA8C1624822F6E01 A86A0B5CBED191DD'

const retail = 'published retail MAC'
const ones = 'FF'.repeat(16)

const manual = 'vendor manual'

const own = 'own worked example'
const [mpk, mlk] = ['A9640957A2532FF71C77395282A44A1F', 'D5DC7DB222EB03002094B2A30FD5CB88']
const [mtk, mamk] = ['F2D23B57E89AB2A989BAA3D309F857B2', '79B59D30AD9743BC9FC12060C45A08CE']
const [dpk, dlk] = ['823DFFCEE44C9F865DB871AFEFAE7E98', 'FA1FE3DCF52B88F92378D120E99C45A3']
const [dtk, damk] = ['C0DBA7F6D107883762B0EA39992C0E8E', '681B429A8E3F8EDEC036AE34A5A83627']
const twoLevelDpk = '8AC516A7DDA8C0EEC31C44D89D86C3E1'
const [card, city] = ['0000000012345678', '9900FF0000000000']
const session1 = '4B7E92ECFD9DE7D9'
const session2 = 'BADC20AE3CD76EAD'
const code = '850011223300112233'
const w1 = {
  rand: '1A2B3C4D', counter: 0x2A, sequence: '00000123', amount: 0xC8, terminal: '990000000001',
  date: '20260105', time: '083015'
}
const w2 = {
  ...w1, rand: 'A1A2A3A4', counter: 0x2B, sequence: '00000124', amount: 0, type: 0x09, time: '084000'
}
const w3 = {
  rand: '5E6F7081', counter: 7, old: 0x2648, new: 0x39D0, amount: 0x1388, type: 0x02,
  terminal: '990000000099', date: '20260105', time: '090000'
}
const w5 = { ...w1, terminalRand: '55667788', type: 0x91 }
const unproven = 'own worked example, SM4 rule unverified'
const sm4Dtk = '031C869EE3AC918F80119D1FC973E54E'
const w6 = { ...w1, suite: 'sm4', session: 'BD10DCE5D17149A46F4D13466B1C5444' }

const sm4Key = '0123456789ABCDEFFEDCBA9876543210'
const sm2 = {
  private: '3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8',
  identity: ascii('1234567812345678'),
  text: ascii('message digest'),
  signature: 'F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3' +
    'B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA'
}

const vectors: readonly Vector[] = [
  [published, 'load session key', { key: keyA, rand: '11223344', counter: 0 }, '9B1D924E05595603'],
  [published, 'load MAC1', { ...loadA, old: 0 }, '2988AE5A'],
  [published, 'load MAC2', { ...loadA, date: '20111221', time: '214822' }, '3A845BF0'],
  [published, 'purchase session key', { key: keyA, rand: '11223344', counter: 0, sequence: '00000001' },
    '003238ABC57659DD'],
  [published, 'purchase MAC1', purchaseA, 'F15CAB75'],
  [published, 'purchase MAC2', purchaseA, '56988A13'],

  [chip, 'load session key', { key: keyB, rand: 'E0B84748', counter: 0 }, '7C45FBFB5B3A68F5'],
  [chip, 'load MAC1', { ...loadB, session: '7C45FBFB5B3A68F5', old: 0 }, 'EA411F90'],
  [chip, 'load session key', { key: keyB, rand: 'C903814D', counter: 0 }, '11FDF264E8AEEFA3'],
  [chip, 'load MAC1', { ...loadB, session: '11FDF264E8AEEFA3', old: 0 }, '03976C22'],
  [chip, 'load MAC2', { ...loadB, session: '11FDF264E8AEEFA3' }, '8AFA5718'],
  [chip, 'TAC key', { key: keyB }, '8888888888888888'],
  [chip, 'load TAC', { ...loadB, key: keyB, new: 0x2000, counter: 0 }, 'FA00066D'],
  [chip, 'purchase session key', { key: keyB, rand: '584633C9', counter: 0, sequence: '00000000' },
    'C08346DF9F1D457A'],
  [chip, 'purchase MAC1', { ...purchaseB, session: 'C08346DF9F1D457A' }, 'D45737C5'],
  [chip, 'purchase MAC2', { ...purchaseB, session: 'C08346DF9F1D457A' }, '66B54A6B'],
  [chip, 'purchase TAC', { ...purchaseB, key: keyB, sequence: '00000000' }, '8AF270DC'],

  [psamLoad, 'diversify by one factor', { key: keyB, card: '1122334455667788' },
    '496BD7A351364453 3100B54E71196528'],
  [psamLoad, 'secure messaging: encrypt', { key: keyB, plain: keyLoad }, keyLoadCryptogram],
  [psamLoad, 'secure messaging: decrypt', { key: keyB, cryptogram: keyLoadCryptogram }, keyLoad],
  [psamLoad, 'block cipher', { key: keyB, plain: `13${keyLoad}80000000` }, keyLoadCryptogram],
  [psamLoad, 'block cipher, backwards', { key: keyB, cryptogram: keyLoadCryptogram }, `13${keyLoad}80000000`],
  [psamLoad, 'secure messaging: MAC',
    { key: keyB, challenge: '5D72B3FD', message: `84D400001C${keyLoadCryptogram}` }, '8A9D4ADB'],

  [retail, 'secure messaging: MAC',
    { key: ones, challenge: '44A47DEB', message: '04D600001411223344556677889900AABBCCDDEEFF' }, 'F2F62231'],
  [retail, 'secure messaging: MAC',
    { key: ones, challenge: 'D0FE4FB9', message: '11223344556677889900AABBCCDDEEFF' }, '8D318577'],
  [retail, 'secure messaging: MAC', { key: ones, challenge: 'D0FE4FB9', message: '04B0000004' }, 'F09C8A19'],
  [retail, 'secure messaging: MAC', {
    key: '36'.repeat(16),
    challenge: 'A3BBCFC8',
    message: '04D6950022 000122000001FFFF 0101000022000000000000062016010120501231 0000'
  }, '96E32EF1'],

  [manual, 'external authentication', { key: '0102030405060708', challenge: 'BB83BFF3' }, '74B0047DD681D96C'],
  [manual, 'block cipher', { key: '1122334455667788', plain: '0102030405060708' }, '178F59F8578E0D3F'],
  [manual, 'MAC under a session key', { key: '1122334455667788', data: '0102030405060708' }, 'A82A8CEB'],
  [manual, 'secure messaging: MAC', { key: '1122334455667788', challenge: '', message: '0102030405060708' },
    'A82A8CEB'],

  [own, 'first 16 bytes of SHA-256', { text: ascii('citycard-test-MPK') }, mpk],
  [own, 'first 16 bytes of SHA-256', { text: ascii('citycard-test-MLK') }, mlk],
  [own, 'first 16 bytes of SHA-256', { text: ascii('citycard-test-MTK') }, mtk],
  [own, 'first 16 bytes of SHA-256', { text: ascii('citycard-test-MAMK') }, mamk],
  [own, 'diversify by one factor', { key: mpk, card }, dpk],
  [own, 'diversify by one factor', { key: mlk, card }, dlk],
  [own, 'diversify by one factor', { key: mtk, card }, dtk],
  [own, 'diversify by one factor', { key: mamk, card }, damk],
  [own, 'diversify, master kept', { key: mtk, card }, dtk],
  [own, 'diversify by one factor', { key: mpk, card: city }, '5AF0EEA3CBD2CE4B1CABD999B1CE5443'],
  [own, 'diversify, city first', { key: mpk, city, card }, twoLevelDpk],
  [own, 'diversify, card first', { key: mpk, city, card }, 'DCBF0B6EAC5D64AA8980410430A26583'],

  [own, 'purchase session key', { ...w1, key: dpk }, session1],
  [own, 'purchase MAC1', { ...w1, session: session1, type: 0x06 }, '25D18BBE'],
  [own, 'purchase MAC1', { ...w1, session: session1, type: 0x09 }, '2F74CCE1'],
  [own, 'purchase MAC1 with code', { ...w1, session: session1, type: 0x06, code }, '6016D24C'],
  [own, 'purchase MAC1 with code', { ...w1, session: session1, type: 0x09, code }, 'BF88951B'],
  [own, 'purchase MAC2', { ...w1, session: session1 }, 'F0853DA2'],
  [own, 'purchase session key', { ...w1, key: twoLevelDpk }, session2],
  [own, 'purchase MAC1', { ...w1, session: session2, type: 0x06 }, 'BB75B783'],
  [own, 'purchase MAC1', { ...w1, session: session2, type: 0x09 }, '388500A7'],
  [own, 'purchase MAC1 with code', { ...w1, session: session2, type: 0x06, code }, '7CA1334C'],
  [own, 'purchase MAC1 with code', { ...w1, session: session2, type: 0x09, code }, 'C533E0E0'],
  [own, 'purchase MAC2', { ...w1, session: session2 }, '9E7B1952'],
  [own, 'TAC key', { key: dtk }, 'A26B4DCF482B86B9'],
  [own, 'purchase TAC', { ...w1, key: dtk, type: 0x06 }, '03FC20B1'],
  [own, 'purchase TAC', { ...w1, key: dtk, type: 0x09 }, '4A9BA229'],

  [own, 'purchase session key', { ...w2, key: dpk }, '9CCA8D88D91BC652'],
  [own, 'purchase MAC1', { ...w2, session: '9CCA8D88D91BC652' }, '06B26007'],
  [own, 'purchase MAC2', { ...w2, session: '9CCA8D88D91BC652' }, 'D63E90FC'],
  [own, 'purchase TAC', { ...w2, key: dtk }, '71606A8C'],

  [own, 'load session key', { ...w3, key: dlk }, '3ECC2231DEC015B4'],
  [own, 'load MAC1', { ...w3, session: '3ECC2231DEC015B4' }, 'EF9FAE34'],
  [own, 'load MAC2', { ...w3, session: '3ECC2231DEC015B4' }, 'C6EB3CCB'],
  [own, 'load TAC', { ...w3, key: dtk }, '8A77D40A'],

  [own, 'secure messaging: MAC', { key: damk, challenge: 'C0FFEE01', message: '841E000004' }, '4366832D'],
  [own, 'secure messaging: MAC', { key: damk, challenge: 'C0FFEE01', message: '04D695090502' }, 'D2038C63'],

  [own, 'grey lock session key', { ...w5, key: dpk }, 'A5F6368451E00499'],
  [own, 'grey lock MAC1', { ...w5, session: 'A5F6368451E00499' }, '35B14171'],

  [unproven, 'diversify by one factor', { suite: 'sm4', key: mpk, card }, '92FE1C71C9CD0F9F7E367F54EB37C74C'],
  [unproven, 'diversify by one factor', { suite: 'sm4', key: mtk, card }, sm4Dtk],
  [unproven, 'diversify, master kept', { suite: 'sm4', key: mtk, card }, sm4Dtk],
  [unproven, 'purchase session key', { ...w6, key: '92FE1C71C9CD0F9F7E367F54EB37C74C' }, w6.session],
  [unproven, 'purchase MAC1', { ...w6, type: 0x06 }, 'A0D6A0F8'],
  [unproven, 'purchase MAC2', w6, 'ECC80B00'],
  [unproven, 'purchase TAC', { ...w6, key: sm4Dtk, type: 0x06 }, '1BFF4140'],

  ['GM/T 0002 example', 'block cipher', { suite: 'sm4', key: sm4Key, plain: sm4Key },
    '681EDF34D206965E86B3E94F536E4246'],
  ['GM/T 0002 example', 'SM4 a million times', { key: sm4Key, plain: sm4Key },
    '595298C7C6FD271F0402F804C33D3F66'],
  ['GM/T 0004 example', 'SM3', { text: ascii('abc') },
    '66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0'],
  ['GM/T 0004 example', 'SM3', { text: ascii('abcd'.repeat(16)) },
    'DEBE9FF92275B8A138604889C18E5A4D6FDB70E5387E5765293DCBA39C0C5732'],
  ['GM/T 0003 example', 'SM2 ZA', sm2, 'B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3'],
  ['GM/T 0003 example', 'SM2 e', sm2, 'F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640'],
  ['GM/T 0003 example', 'SM2 r', sm2, sm2.signature.slice(0, 64)]
]

t.test('vectors', async t => {
  vectors.forEach(([origin, what, given, expected], row) => {
    const bytes = (name: string): Uint8Array => {
      const value = given[name]
      if (typeof value !== 'string') throw new Error(`row ${row}: ${what} needs ${name}`)
      return unhex(value)
    }
    const number = (name: string): number => {
      const value = given[name]
      if (typeof value !== 'number') throw new Error(`row ${row}: ${what} needs the number ${name}`)
      return value
    }
    const suite = suites[given.suite === 'sm4' ? 'sm4' : '3des']
    const actual = hex(operations[what](bytes, number, suite))
    t.equal(actual, expected.replace(/ /g, ''), `${what}: ${origin}, row ${row}`)
  })
  const used = new Set<string>(vectors.map(([, what]) => what))
  t.same(Object.keys(operations).filter(what => !used.has(what)), [], 'no operation is idle')
})

/* ---- commands and answers ---- */

const b = unhex
const at1 = { date4: b('20260105'), time3: b('083015') }
const init1 = { purse: 2, keyIndex: 1, amountFen: 200, terminal6: b('990000000001') } as const
const sign = (): Uint8Array => b('4366832D')
const bank = '1111111111111111'
const mac1Input = {
  rand4: b('1A2B3C4D'), counter: 0x2A, amountFen: 200, type: 6, ...at1, keyVersion: 1, algorithm: 0
}

const commands: readonly (readonly [what: string, built: Uint8Array, expected: string])[] = [
  ['select by name', apdu.selectByName(b('A000000632010105')), '00A4040008 A000000632010105'],
  ['select by name, answer wanted', apdu.selectByName(b('4F43'), 0), '00A4040002 4F43 00'],
  ['select the T-Union PSAM', apdu.selectByFid(0x8011), '00A40000028011'],
  ['read file 0015', apdu.readBinary(0x15, 0, 0x1E), '00B095001E'],
  ['read PSAM serial', apdu.readBinary(0x15, 0, 0x0E), '00B095000E'],
  ['read PSAM terminal number', apdu.readBinary(0x16, 0, 6), '00B0960006'],
  ['read PSAM key index', apdu.readBinary(0x17, 0, 1), '00B0970001'],
  ['read file 0005', apdu.readBinary(0x05, 0, 0), '00B0850000'],
  ['update binary', apdu.updateBinary(0x15, 9, b('02')), '00D6950901 02'],
  ['update binary, secured', apdu.updateBinarySecured(0x15, 9, b('02'), sign), '04D6950905 02 4366832D'],
  ['read the last log record', apdu.readRecord(0x18, 1, 0x17), '00B201C417'],
  ['read a trip record', apdu.readRecord(0x1E, 1, 0), '00B201F400'],
  ['read file 1A by number', apdu.readRecord(0x1A, 1, 0), '00B201D400'],
  ['read file 1A by tag', apdu.readRecord(0x1A, 1, 0, 'tag'), '00B201D000'],
  ['read the recharge log', apdu.readRecord(0x1F, 1, 0x17), '00B201FC17'],
  ['read file 10', apdu.readRecord(0x10, 1, 0), '00B2018400'],
  ['update record', apdu.updateRecord(0x18, 1, b('AABB')), '00DC01C402AABB'],
  ['update record, secured', apdu.updateRecordSecured(0x17, 2, b('AA'), sign, 'tag'), '04DC02B805AA4366832D'],
  ['get response', apdu.getResponse(0x0F), '00C000000F'],
  ['get challenge', apdu.getChallenge(4), '0084000004'],
  ['external authentication', apdu.externalAuth(1, b('74B0047DD681D96C')), '008200010874B0047DD681D96C'],
  ['internal authentication', apdu.internalAuth('mac', 1, b('0102')), '0088020102 0102'],
  ['verify PIN', apdu.verifyPin(0, b('123456')), '0020000003123456'],
  ['change PIN', apdu.changePin(0, b('123456'), b('654321')), '805E010007123456FF654321'],
  ['reload PIN', apdu.reloadPin(0, b('123456'), sign()), '805E000007 123456 4366832D'],
  ['unblock PIN', apdu.unblockPin(0, 1, b('0102030405060708'), sign), '842400010C 0102030405060708 4366832D'],
  ['block for a time', apdu.blockApplication('temporary', sign), '841E000004 4366832D'],
  ['block for ever', apdu.blockApplication('permanent', sign), '841E000104 4366832D'],
  ['unblock', apdu.unblockApplication(sign), '8418000004 4366832D'],
  ['block the card', apdu.blockCard(sign), '8416000004 4366832D'],
  ['authentication code', apdu.getAuthCode(), '80CA000009'],
  ['balance of the deposit', apdu.getBalance(1), '805C000104'],
  ['balance of the purse', apdu.getBalance(2), '805C000204'],
  ['balance of a T-Union purse', apdu.getBalance(2, 3), '805C030204'],

  ['initialize for load', apdu.initLoad({ ...init1, amountFen: 0x1388, terminal6: b('990000000099') }),
    '805000020B 01 00001388 990000000099 10'],
  ['credit for load', apdu.creditLoad({ date4: b('20260105'), time3: b('090000'), mac2: b('C6EB3CCB') }),
    '805200000B 20260105 090000 C6EB3CCB 04'],
  ['initialize for purchase', apdu.initPurchase(init1), '805001020B01000000C899000000000 10F'],
  ['INIT SAM, one factor', apdu.psamInitMac1({ ...mac1Input, factors: [b(card)] }),
    '807000001C 1A2B3C4D 002A 000000C8 06 20260105083015 01 00 0000000012345678 08'],
  ['INIT SAM, three factors', apdu.psamInitMac1({ ...mac1Input, factors: [b(card), b(bank), b(city)] }),
    `807000002C 1A2B3C4D 002A 000000C8 06 20260105083015 01 00 ${card} ${bank} ${city} 08`],
  ['debit', apdu.debit({ sequence4: b('00000123'), ...at1, mac1: b('25D18BBE') }),
    '805401000F 00000123 20260105 083015 25D18BBE 08'],
  ['check MAC2', apdu.psamCheckMac2(b('F0853DA2')), '8072000004 F0853DA2'],
  ['prove', apdu.getTransactionProve(6, 0x2B), '805A000602002B08'],
  ['code to the PSAM', apdu.psamAuthCode(b(code)), `80CA000009 ${code}`],
  ['CAPP of the city union', apdu.updateCappCache(0x17, 2, b(`022E00${'00'.repeat(45)}`)),
    `80DC02B830 022E00 ${'00'.repeat(45)}`],
  ['CAPP, trip record', apdu.updateCappCache(0x1E, 0, new Uint8Array(48)), `80DC00F030 ${'00'.repeat(48)}`],
  ['CAPP, ongoing trip', apdu.updateCappCache(0x1A, 1, new Uint8Array(128)),
    `80DC01D080 ${'00'.repeat(128)}`],
  ['INIT for crypt, two levels', apdu.psamInitCrypt('purchase', 1, [b(card), b(city)]),
    `801A420110 ${card}${city}`],
  ['INIT for crypt, no level', apdu.psamInitCrypt('mac', 1, []), '801A0601'],
  ['crypt', apdu.psamCrypt('encrypt', b('0102030405060708')), '80FA0000080102030405060708'],
  ['cash', apdu.initCash(init1), '805002010B 01 000000C8 990000000001 0F'],
  ['unload', apdu.initUnload(init1), '805005010B 01 000000C8 990000000001 10'],
  ['debit for unload', apdu.debitUnload({ ...at1, mac2: sign() }), '805403000B 20260105 083015 4366832D 04'],
  ['initialize for overdraft', apdu.initOverdraftUpdate(init1), '8050040107 01 990000000001 13'],
  ['overdraft', apdu.updateOverdraft({ limitFen: 800, ...at1, mac2: sign() }),
    '805800000E 000320 20260105 083015 4366832D 04'],
  ['initialize grey lock', apdu.initGreyLock(init1), 'E07A080207 01 990000000001 0F'],
  ['grey lock', apdu.greyLock({
    sequence4: b('00000123'), terminalRand4: b('55667788'), ...at1, mac1: b('35B14171')
  }), 'E07C080013 00000123 55667788 20260105083015 35B14171 08'],
  ['grey debit', apdu.greyDebit({ ...init1, ...at1, counter: 0x2A, sequence4: b('00000123'), gmac: sign() }),
    'E07E08021B 000000C8 002A 990000000001 00000123 20260105083015 4366832D 04'],
  ['initialize grey unlock', apdu.initGreyUnlock(init1), 'E07A090207 01 990000000001 12'],
  ['grey unlock', apdu.greyUnlock({ amountFen: 200, ...at1, mac2: sign() }),
    'E07E09000F 000000C8 20260105083015 4366832D 04'],
  ['grey status', apdu.getGreyStatus(), 'E0CA00001E']
]

t.test('commands have the published bytes', async t => {
  for (const [what, built, expected] of commands) t.equal(hex(built), expected.replace(/ /g, ''), what)
})

t.test('a secured command signs what stands before its MAC, with the final Lc', async t => {
  const seen: string[] = []
  const suite = suites['3des']
  const blocked = apdu.blockApplication('temporary', message => {
    seen.push(hex(message))
    return mac.secureMessagingMac({ suite, key: b(damk), challenge: b('C0FFEE01'), message })
  })
  t.same(seen, ['841E000004'])
  t.equal(hex(blocked), '841E0000044366832D')
  const pin = b('123456')
  t.equal(hex(mac.reloadPinMac({ suite, drpk: b(keyB), pin })), hex(suite.mac(b('8888888888888888'), pin)),
    'a new PIN is signed with the halves of its key folded, as a TAC is')
})

t.test('builders refuse what a programmer cannot mean', async t => {
  const suite = suites['3des']
  const [key, sessionKey] = [b(keyA), b(session1)]
  const refusals: readonly (readonly [() => unknown, RegExp])[] = [
    [() => apdu.initPurchase({ ...init1, amountFen: -1 }), /-1 is no unsigned number of 4 bytes/],
    [() => apdu.initPurchase({ ...init1, amountFen: 1.5 }), /1\.5 is no unsigned number/],
    [() => apdu.initPurchase({ ...init1, amountFen: 2 ** 32 }), /4294967296 is no unsigned number/],
    [() => apdu.initPurchase({ ...init1, terminal6: b('99') }), /a terminal number has 6 bytes, not 1/],
    [() => apdu.getTransactionProve(6, 0x10000), /65536 is no unsigned number of 2 bytes/],
    [() => apdu.psamCheckMac2(b('0102')), /MAC2 has 4 bytes, not 2/],
    [() => apdu.readRecord(32, 1, 0), /a short file id is 0 to 31, not 32/],
    [() => apdu.verifyPin(0, b('12')), /a PIN has 2 to 6 bytes, not 1/],
    [() => apdu.selectByName(new Uint8Array(17)), /a DF name has 1 to 16 bytes, not 17/],
    [() => apdu.updateBinary(0x15, 0, new Uint8Array(256)), /256 bytes do not fit a short command/],
    [() => apdu.command(0x100, 0, 0, 0), /256 is no unsigned number of 1 bytes/],
    [() => apdu.psamInitCrypt('mac', 1, Array(4).fill(b(card))), /1 to 3 key factors, not 4/],
    [() => cardFactor(b(card)), /an application serial number has 10 bytes, not 8/],
    [() => diversify(suite, b(card), []), /a master key has 16 bytes, not 8/],
    [() => diversify(suites.sm4, b(mpk), [b('00')]), /a key factor has 8 bytes, not 1/],
    [() => suite.encrypt(key, b('0102')), /2 bytes are no whole blocks of 8/],
    [() => suite.mac(key, b('0102')), /a DES key has 8 bytes, not 16/],
    [() => suite.tacKey(b(card)), /a TAC key has 16 bytes, not 8/],
    [() => suites.sm4.secureMac(key, new Uint8Array(17), b('')), /a challenge has at most 16 bytes, not 17/],
    [() => mac.externalAuthCryptogram({ suite, key, challenge: b('01') }), /a challenge has 4 or 8 bytes, not 1/],
    [() => mac.secureMessagingEncrypt({ suite, key, plain: new Uint8Array(256) }), /256 is no unsigned number/],
    [() => mac.purchaseMac2({ suite, sessionKey, amountFen: NaN }), /NaN is no unsigned number of 4 bytes/],
    [() => mac.purchaseMac1({ suite, sessionKey, amountFen: 1, type: 6, terminal6: b('99'), ...at1 }),
      /a terminal number has 6 bytes, not 1/],
    [() => unhex('00 1G'), /not hexadecimal: 'G' at offset 4/],
    [() => unhex('001 '), /3 hexadecimal digits make no whole bytes: '1' at offset 2 stands alone/],
    [() => bcd('123'), /not an even number of decimal digits: '123'/],
    [() => readU32(b('000102'), 1), /4 bytes wanted at offset 1, 3 there/],
    [() => layout('x', 2, { wide: field(1, 2, 'hex') }), /x\.wide ends at 3, behind 2/],
    [() => layout('x', 3, { one: field(0, 2, 'hex'), two: field(1, 1, 'hex') }),
      /x\.two and one both own byte 1/],
    [() => encode(logRecord, { amountFen: -5 }),
      /file 0018 record\.amountFen: -5 is no unsigned number of 4 bytes/],
    [() => encode(logRecord, { terminal: '99' }), /file 0018 record\.terminal: 6 bytes wanted, 1 given/],
    [() => encode(ongoingTrip, { boardingVehicle: '湘D12345' }), /boardingVehicle: '湘' at offset 0/],
    [() => encode(logRecord, { raw: b('00') }), /file 0018 record: 23 bytes wanted, 1 given/]
  ]
  for (const [build, message] of refusals) t.throws(build, { name: 'RangeError', message }, String(message))
})

t.test('answers', async t => {
  const common = { ok: true, keyVersion: 1, algorithm: 0 }
  t.same(apdu.parseInitPurchase(b('00002710 002A 000000 01 00 1A2B3C4D')),
    { ...common, balanceFen: 10000, counter: 42, overdraftFen: 0, rand4: b('1A2B3C4D') })
  const load = { ...common, balanceFen: 9800, counter: 7, rand4: b('5E6F7081'), mac1: b('EF9FAE34') }
  t.same(apdu.parseInitLoad(b('00002648 0007 01 00 5E6F7081 EF9FAE34')), load)
  t.same(apdu.parseInitOverdraftUpdate(b('00002648 0007 000320 01 00 5E6F7081 EF9FAE34')),
    { ...load, limitFen: 800 })
  t.same(apdu.parseInitGreyUnlock(b('00002648 002A 0007 01 00 5E6F7081 EF9FAE34')),
    { ...load, offlineCounter: 42 })

  const debited = apdu.parseDebit(b('03FC20B1 F0853DA2'))
  const proven = apdu.parseProve(b('F0853DA2 03FC20B1'))
  t.same(debited, { ok: true, tac: b('03FC20B1'), mac2: b('F0853DA2') })
  t.same(proven, debited, 'DEBIT answers the TAC first, the proof MAC2')
  t.same(apdu.parseCreditLoad(b('8A77D40A')), { ok: true, tac: b('8A77D40A') })
  t.same(apdu.parsePsamMac1(b('00000123 25D18BBE')),
    { ok: true, sequence4: b('00000123'), mac1: b('25D18BBE') })
  t.same(apdu.parseBalance(b('00002710')), { ok: true, balanceFen: 10000 })
  t.same(apdu.parseBalance(b('80002710')), { ok: true, balanceFen: 10000 }, 'the top bit is no money')

  t.same(apdu.splitResponse(b('03FC20B1F0853DA29000')), { ok: true, data: b('03FC20B1F0853DA2'), sw: 0x9000 })
  t.same(apdu.splitResponse(b('9406')), { ok: true, data: b(''), sw: 0x9406 })
  t.same(apdu.splitResponse(b('90')), { ok: false, error: 'answer of 1 bytes: no status word' })
  t.same(apdu.splitResponse(b('')), { ok: false, error: 'answer of 0 bytes: no status word' })
  t.same(apdu.parseDebit(b('03FC20B1')), { ok: false, error: 'DEBIT: 8 bytes wanted, 4 found' })
})

t.test('the four cases of a command', async t => {
  const header = { ok: true, cla: 0x80, ins: 0x5C, p1: 3, p2: 2 }
  t.same(apdu.parseCommand(b('805C0302')), { ...header, data: b(''), le: null })
  t.same(apdu.parseCommand(b('805C030204')), { ...header, data: b(''), le: 4 })
  t.same(apdu.parseCommand(b('805C030202AABB')), { ...header, data: b('AABB'), le: null })
  t.same(apdu.parseCommand(b('805C030202AABB00')), { ...header, data: b('AABB'), le: 0 })
  const wrong: readonly (readonly [string, string])[] = [
    ['', 'command ends at offset 0: the header needs 4 bytes'],
    ['805C03', 'command ends at offset 3: the header needs 4 bytes'],
    ['805C030203AABB', 'Lc at offset 4 says 3 bytes, 2 follow'],
    ['805C030201AA0000', '2 bytes at offset 6: only Le may follow'],
    ['805C0302000001AA', 'Lc 00 at offset 4: extended length is not spoken here']
  ]
  for (const [command, error] of wrong) t.same(apdu.parseCommand(b(command)), { ok: false, error }, error)
})

/* ---- a terminal's log ---- */

// A bus terminal with a T-Union card and PSAM, 2019-01-08: keys unknown, so it proves bytes and order.
const deviceFile15 = '02313750FFFFFFFF 02 01 03104990600000000016 20170109 20991231 0000'
const deviceTrip = `06${'00'.repeat(47)}`
const deviceLog = [
  '00A4040008A000000632010105', '00B0950000', '00B0970000', '00B201F400', '805C030204',
  '805003020B 01 00000001 413101210198 0F',
  '8070000024 62020EC1 0059 00000001 09 20190108151751 01 00 4990600000000016 02313750FFFFFFFF 08',
  `80DC00F030 ${deviceTrip}`,
  '805401000F 000001E7 20190108 151751 B915CAE7 08',
  '8072000004 046BF062'
].map(line => line.replace(/ /g, ''))

/** A composite purchase as the profile has it; the chips answer as in the log. */
function * purchaseOf (profile: Profile): Generator<Uint8Array, void, string> {
  const read = (file: FileToRead) => file.kind === 'binary'
    ? apdu.readBinary(file.sfi, 0, file.le)
    : apdu.readRecord(file.sfi, file.record, file.le)
  yield apdu.selectByName(profile.aid)
  const files: string[] = []
  for (const file of profile.reads) files.push(yield read(file))
  yield apdu.getBalance(2, profile.balanceSelector)

  const amountFen = 1
  const at = { date4: b('20190108'), time3: b('151751') }
  const begin = profile.purchase === 'capp' ? apdu.initCapp : apdu.initPurchase
  const init = found(apdu.parseInitPurchase(b(
    yield begin({ purse: 2, keyIndex: 1, amountFen, terminal6: b('413101210198') }))))
  const { issuer, serial } = found(decode(file0015, b(files[0] ?? ''))).value
  const factorOf = { card: cardFactor(b(serial)), issuer: b(issuer) }
  const factors = profile.psamFactors.map(name => factorOf[name])
  const signed = found(apdu.parsePsamMac1(b(
    yield apdu.psamInitMac1({ ...init, ...at, amountFen, type: profile.purchaseType, factors }))))
  if (profile.cappUpdate !== null) {
    const { sfi, record, by } = profile.cappUpdate
    yield apdu.updateCappCache(sfi, record, b(files[2] ?? ''), by)
  }
  const { mac2 } = found(apdu.parseDebit(b(yield apdu.debit({ ...signed, ...at }))))
  yield apdu.psamCheckMac2(mac2)
}

function found<T extends object> (parsed: apdu.Parsed<T>): { ok: true } & T {
  if (!parsed.ok) throw new Error(parsed.error)
  return parsed
}

t.test('the T-Union profile says what a bus terminal says', async t => {
  const answers: readonly string[] = [
    '', deviceFile15, '00000156 3600 3750 0000 CA', deviceTrip, '0000471C',
    '0000471C 0059 000000 01 00 62020EC1', '000001E7 B915CAE7', '', '4FE3D8DD 046BF062', ''
  ]
  const talk = purchaseOf(profiles['t-union'])
  const said: string[] = []
  for (let step = talk.next(); step.done !== true; step = talk.next(answers[said.length - 1] ?? '')) {
    said.push(hex(step.value))
  }
  t.same(said, deviceLog)
})

t.test('profiles', async t => {
  const psams = Object.values(profiles).map(({ name, psamSelect }) =>
    [name, hex('fid' in psamSelect ? apdu.selectByFid(psamSelect.fid) : apdu.selectByName(psamSelect.name))])
  t.same(Object.fromEntries(psams), {
    't-union': '00A40000028011', cjt166: '00A40000021001', 'cjt166-auth': '00A40000021001',
    pboc: '00A40000021001'
  })
  t.same(selectionOrder.map(({ aid }) => hex(aid)),
    ['A000000632010105', 'A00000000386980701', ascii('2PAY.SYS.DDF01').toUpperCase()])
  const reachable = selectionOrder.flatMap(entry => entry.profiles)
  t.same([...reachable].sort(), Object.keys(profiles).sort(), 'each can be found')
  for (const profile of Object.values(profiles)) {
    t.ok(isLocked(profile.blockedSw), `${profile.name}: its word for a block is known as one`)
    t.equal(profile.purchase === 'capp', profile.cappUpdate !== null, `${profile.name}: a record to write`)
    t.same(profile.reads[0], { kind: 'binary', sfi: 0x15, le: 0 }, `${profile.name}: file 0015 first`)
  }
})

t.test('status words and types in words', async t => {
  const words: readonly (readonly [number, string])[] = [
    [0x9000, '9000 done'],
    [0x610F, '610F 15 bytes waiting'],
    [0x6C1E, '6C1E wrong Le, 30 bytes available'],
    [0x63C2, '63C2 authentication failed, 2 tries left'],
    [0x6300, '6300 authentication failed'],
    [0x9302, '9302 MAC wrong'],
    [0x9401, '9401 the amount exceeds the balance'],
    [0x9406, '9406 the requested MAC and TAC are not available'],
    [0x6A81, '6A81 function not supported; application or card locked'],
    [0x1234, '1234 unknown status word']
  ]
  for (const [sw, text] of words) t.equal(describeStatus(sw), text)
  const listed = '9000 6281 6283 6284 6300 6400 6581 6700 6900 6901 6981 6982 6983 6984 6985 6986 6987 ' +
    '6988 6A80 6A81 6A82 6A83 6A84 6A86 6A88 6B00 6D00 6E00 6F00 9301 9302 9303 9401 9402 9403 9406'
  t.same(Object.keys(statusWords).sort(), listed.split(' ').sort())
  t.same([0x6A81, 0x6283, 0x6284, 0x9303, 0x9000, 0x6A82, 0x9302].map(isLocked),
    [true, true, true, true, false, false, false])
  t.same([0x9000, 0x6100, 0x6A81].map(isOk), [true, false, false])
  t.equal(transactionTypeName(0x09), 'cappPurchase')
  t.equal(transactionTypeName(0x08), null)
  t.equal(transactionTypes.epLoad, 0x02)
})

/* ---- files ---- */

type Sample = readonly [
  what: string, table: Layout<Fields>, bytes: string, expected: Readonly<Record<string, unknown>>
]
const samples: readonly Sample[] = [
  ['a T-Union test card', file0015, deviceFile15, {
    issuer: '02313750FFFFFFFF', applicationType: 2, version: 1, serial: '03104990600000000016',
    startDate: '20170109', expiryDate: '20991231', issuerFci: '0000'
  }],
  ['the same, its own table', file0015TUnion, deviceFile15, { enabled: 1, serial: '03104990600000000016' }],
  ['file 0017 of that card', file0017TUnion, `00000156 3600 3750 0000 CA ${'00'.repeat(49)}`, {
    country: '00000156', province: '3600', city: '3750', interoperable: '0000', cardClass: 0xCA
  }],
  ['file 0017 of a preset', file0017TUnion, `00000156 5800 5840 0001 01 ${'00'.repeat(49)}`, {
    province: '5800', city: '5840', interoperable: '0001', cardClass: 1
  }],
  ['a city-union card', file0015Cjt,
    '20002000 00010000 01 01 0001 2000000012345678 20160101 20501231 02 03', {
      issuer: '2000200000010000', applicationType: 1, version: 1, serial: '00012000000012345678',
      startDate: '20160101', expiryDate: '20501231', mainType: 2, subType: 3
    }],
  ['its issuer', cjtIssuer, '2000 2001 0003 FFFF',
    { issuerCode: '2000', cityCode: '2001', industryCode: '0003' }],
  ['a city-union card as such', file0005, '2000 2001 0001 0000 2000000012345678 0101 20160101 ' +
    '000000000007 0100 20160102 20501231 FFFF', {
    issuerCode: '2000', cityCode: '2001', industryCode: '0001', test: '0000', serial: '2000000012345678',
    cardType: '0101', issueDate: '20160101', issuingDevice: '000000000007', version: '0100',
    startDate: '20160102', expiryDate: '20501231'
  }],
  ['the holder, short', file0016Short, `02 01 ${'41'.repeat(20)} ${'31'.repeat(16)} 05`, {
    cardClass: 2, staff: 1, name: '41'.repeat(20), idNumber: '31'.repeat(16), idType: 5
  }],
  ['the holder, long', file0016Long, `02 01 ${'41'.repeat(20)} ${'31'.repeat(32)} 05`, {
    cardClass: 2, staff: 1, name: '41'.repeat(20), idNumber: '31'.repeat(32), idType: 5
  }],
  ["a purchase in the card's log", logRecord, '002B 000000 000000C8 06 990000000001 20260105 083015', {
    counter: 43, overdraftFen: 0, amountFen: 200, type: 6, terminal: '990000000001', date: '20260105',
    time: '083015'
  }],
  ['a metro exit', tripRecord, '04 0000990000000001 01 0800 1900 3000 00 000001F4 00000E01 ' +
    '20260105141740 3000 03000000FFFFFFFF 000000000000', {
    type: 4, terminal: '0000990000000001', industry: 1, line: '0800', station: '1900', operator: '3000',
    amountFen: 500, balanceFen: 3585, dateTime: '20260105141740', city: '3000',
    institution: '03000000FFFFFFFF'
  }],
  ['a bus trip under way', ongoingTrip,
    '2701 7D 01 01 00 0000000000000009 02 ' +
    '3750 02313750FFFFFFFF 0102 0304 05 443031 2020202020 0000990000000001 20260105083015 000001F4 AB ' +
    '3751 02313751FFFFFFFF 0607 0809 0A 443032 2020202020 0000990000000002 20260105091500 00000190 000C ' +
    'FF'.repeat(26), {
      id: '2701', length: 125, valid: 1, interoperable: 1, lock: 0, serial: '0000000000000009', state: 2,
      boardingCity: '3750', boardingInstitution: '02313750FFFFFFFF', boardingOperator: '0102',
      boardingLine: '0304', boardingStation: 5, boardingVehicle: 'D01     ',
      boardingTerminal: '0000990000000001', boardingTime: '20260105083015', markedFen: 500, direction: 0xAB,
      alightingCity: '3751', alightingInstitution: '02313751FFFFFFFF', alightingOperator: '0607',
      alightingLine: '0809', alightingStation: 10, alightingVehicle: 'D02     ',
      alightingTerminal: '0000990000000002', alightingTime: '20260105091500', amountFen: 400, distance: 12
    }],
  ['PSAM serial', psam0015, '00112233445566778899 05 01 0203', {
    serial: '00112233445566778899', version: 5, keyCardType: 1, fci: '0203'
  }],
  ['PSAM terminal number', psam0016, '990000000001', { terminal: '990000000001' }],
  ['PSAM application', psam0017, '01 1111111111111111 2222222222222222 20200101 20401231', {
    keyIndex: 1, issuer: '1111111111111111', acceptor: '2222222222222222', startDate: '20200101',
    expiryDate: '20401231'
  }]
]

const layouts: readonly Layout<Fields>[] = [
  file0015, file0015Cjt, file0015TUnion, cjtIssuer, file0016Short, file0016Long, file0005, file0017TUnion,
  logRecord, tripRecord, ongoingTrip, ongoingTripShort, psam0015, psam0016, psam0017
]

/** `encode` for a table chosen at run time. */
const write = (table: Layout<Fields>, values: object): Uint8Array =>
  encode(table, values as Parameters<typeof encode>[1])

t.test('files as cards have them', async t => {
  for (const [what, table, bytes, expected] of samples) {
    const { value } = found(decode(table, b(bytes)))
    t.match(value, expected, what)
    t.equal(hex(write(table, value)), bytes.replace(/ /g, ''), `${what}, written again`)
    t.match(found(decode(table, write(table, expected))).value, expected, `${what}, from its fields`)
  }
  t.equal(panOf(b('03104990600000000016')), '3104990600000000016')
  t.equal(panOf(b('13104990600000000016')), null, 'the first nibble belongs to no PAN')
  t.equal(hex(cardFactor(b('03104990600000000016'))), '4990600000000016')
  t.same(decode(logRecord, b('00')), { ok: false, error: 'file 0018 record: 23 bytes wanted, 1 found' })
  t.equal(hex(encode(psam0017, { keyIndex: 1 })), `01${'00'.repeat(24)}`, 'what is not given is zero')
})

t.test('every byte has its field, but for those that the published tables leave open', async t => {
  const open = (table: Layout<Fields>): number[] => Array.from({ length: table.length }, (_, byte) => byte)
    .filter(byte => Object.values(table.fields).every(({ at, length }) => byte < at || byte >= at + length))
  const expected = new Map<Layout<Fields>, readonly [first: number, last: number][]>([
    [cjtIssuer, [[6, 7]]],
    [file0005, [[38, 39]]],
    [file0017TUnion, [[11, 59]]],
    [tripRecord, [[16, 16], [42, 47]]],
    [ongoingTrip, [[102, 127]]],
    [ongoingTripShort, [[0, 119]]]
  ])
  for (const table of layouts) {
    const bytes = (expected.get(table) ?? []).flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, index) => first + index))
    t.same(open(table), bytes, table.name)
  }
})

t.test('records of variable form', async t => {
  const record = `022E00${'00'.repeat(45)}`
  t.same(decodeCappRecord(b(record)),
    { ok: true, value: { tag: 2, locked: false, lockByte: 0, payload: new Uint8Array(45) } })
  t.equal(hex(encodeCappRecord({ tag: 2, locked: false, payload: new Uint8Array(45) })), record)
  t.equal(hex(encodeCappRecord({ tag: 2, locked: true, payload: b('AA') })), '020201AA')
  const changed = { tag: 2, locked: true, lockByte: 0, payload: b('AA') }
  t.equal(hex(encodeCappRecord(changed)), '020201AA', 'what is said in words wins over the byte found')
  t.same(decodeCappRecord(b('0203 00AA')),
    { ok: false, error: 'CAPP record: the length at offset 1 says 3 bytes, 2 follow' })
  t.equal(found(decodeOngoingTrip(new Uint8Array(128))).version, 128)
  t.equal(found(decodeOngoingTrip(new Uint8Array(120))).version, 120)
  t.equal(decodeOngoingTrip(new Uint8Array(119)).ok, false)
})

t.test('answers of SELECT', async t => {
  const tUnion = `6F31 8408 A000000632010105 A525 9F080102 9F0C1E ${deviceFile15}`
  t.same(apdu.parseFci(b(tUnion)), {
    ok: true, name: profiles['t-union'].aid, issuerData: b(deviceFile15), version: b('02')
  })
  t.same(apdu.parseFci(b('6F1B 8410 A0000006324D4F542E435053414D3031 A507 9F080102 9F0C00')), {
    ok: true, name: concat(b('A000000632'), Buffer.from('MOT.CPSAM01')), issuerData: b(''), version: b('02')
  })
  t.same(apdu.parseFci(b(`6F2E 8409 A00000000386980701 A521 9F0C1E ${deviceFile15}`)), {
    ok: true, name: profiles.cjt166.aid, issuerData: b(deviceFile15), version: null
  })
  t.same(apdu.parseFci(b('6F8103 840111')), { ok: true, name: b('11'), issuerData: null, version: null })
  t.same(apdu.parseFci(b('7000')), { ok: false, error: 'FCI at offset 0: no template (6F) in 2 bytes 7000' })
  t.same(apdu.parseFci(b('6F02A500')), { ok: false, error: 'FCI at offset 2: no name (84) in 2 bytes A500' })
  t.same(apdu.parseFci(b('6F10 8408 A000')),
    { ok: false, error: 'FCI at offset 0: no template (6F) in 6 bytes 6F108408A000' })
})

/* ---- properties ---- */

const runs = { numRuns: 1_000, seed: 20260105 }
const anyBytes = (length: number, upTo = length) => fc.uint8Array({ minLength: length, maxLength: upTo })

/** Every parser of foreign bytes, with a length at which it has something to read. */
type Parser = (bytes: Uint8Array) => { ok: boolean, error?: string }
const parsers: readonly (readonly [name: string, length: number, parse: Parser])[] = [
  ['splitResponse', 10, apdu.splitResponse],
  ['parseInitPurchase', 15, apdu.parseInitPurchase],
  ['parseInitLoad', 16, apdu.parseInitLoad],
  ['parseInitOverdraftUpdate', 19, apdu.parseInitOverdraftUpdate],
  ['parseInitGreyUnlock', 18, apdu.parseInitGreyUnlock],
  ['parseDebit', 8, apdu.parseDebit],
  ['parseProve', 8, apdu.parseProve],
  ['parseCreditLoad', 4, apdu.parseCreditLoad],
  ['parsePsamMac1', 8, apdu.parsePsamMac1],
  ['parseBalance', 4, apdu.parseBalance],
  ['parseCommand', 12, apdu.parseCommand],
  ['parseFci', 51, apdu.parseFci],
  ['decodeCappRecord', 48, decodeCappRecord],
  ['decodeOngoingTrip', 120, decodeOngoingTrip],
  ...layouts.map(table => [table.name, table.length, (bytes: Uint8Array) => decode(table, bytes)] as const)
]

t.test('any bytes: a parser answers, or says what is wrong', async t => {
  for (const [name, length, parse] of parsers) {
    fc.assert(fc.property(fc.oneof(anyBytes(length), anyBytes(0, 300)), bytes => {
      const before = hex(bytes)
      const parsed = parse(bytes)
      return hex(bytes) === before && (parsed.ok ? parsed.error === undefined : /\d/.test(parsed.error ?? ''))
    }), runs)
    t.pass(name)
  }
})

t.test('any FCI-like bytes: nested tags, lengths that lie', async t => {
  const tags = fc.constantFrom('6F', '84', 'A5', '9F08', '9F0C', '88', '81', 'FF', '00', '02', '1E', '7F')
  fc.assert(fc.property(fc.array(tags, { maxLength: 60 }), parts => {
    const parsed = apdu.parseFci(b(parts.join('')))
    return parsed.ok ? parsed.name.length <= 255 : /^FCI at offset \d+: /.test(parsed.error)
  }), runs)
})

t.test('any status word has words, any cryptogram an answer', async t => {
  fc.assert(fc.property(fc.nat({ max: 0xffff }), sw => /^[0-9A-F]{4} ./.test(describeStatus(sw))), runs)
  for (const suite of Object.values(suites)) {
    fc.assert(fc.property(anyBytes(0, 64), cryptogram => {
      const plain = mac.secureMessagingDecrypt({ suite, key: b(keyA), cryptogram })
      return plain === null || plain.length < cryptogram.length
    }), runs)
  }
})

t.test('layouts: encode undoes decode, RFU bytes too, and decode undoes encode', async t => {
  for (const table of layouts) {
    fc.assert(fc.property(anyBytes(table.length), bytes => {
      const { raw, ...values } = found(decode(table, bytes)).value
      const again = found(decode(table, write(table, values))).value
      return hex(write(table, { ...values, raw })) === hex(bytes) &&
        Object.entries(values).every(([key, value]) => again[key] === value)
    }), runs)
    t.pass(table.name)
  }
})

t.test('layouts: one field written leaves all other bytes alone', async t => {
  const choice = fc.constantFrom(...layouts.flatMap(table =>
    Object.entries(table.fields).map(([key, one]) => ({ table, key, ...one }))))
  fc.assert(fc.property(choice, anyBytes(128), anyBytes(128), ({ table, key, at, length }, one, two) => {
    const [raw, other] = [one.subarray(0, table.length), two.subarray(0, table.length)]
    const value = found(decode(table, other)).value[key]
    const expected = Uint8Array.from(raw)
    expected.set(other.subarray(at, at + length), at)
    return hex(write(table, { raw, [key]: value })) === hex(expected)
  }), runs)
})

t.test('CAPP records: both ways', async t => {
  const byte = fc.nat({ max: 255 })
  fc.assert(fc.property(byte, byte, anyBytes(0, 254), (tag, lockByte, payload) => {
    const bytes = concat(Uint8Array.of(tag, payload.length + 1, lockByte), payload)
    const { value } = found(decodeCappRecord(bytes))
    return value.tag === tag && value.locked === (lockByte !== 0) && hex(value.payload) === hex(payload) &&
      hex(encodeCappRecord(value)) === hex(bytes)
  }), runs)
})

t.test('a mutated command is read as exactly its bytes, or refused', async t => {
  const valid = fc.constantFrom(...commands.map(([, built]) => built))
  const mutation = fc.record({
    flips: fc.array(fc.record({ at: fc.nat({ max: 60 }), mask: fc.nat({ max: 255 }) }), { maxLength: 3 }),
    cut: fc.nat({ max: 140 }),
    tail: anyBytes(0, 3)
  })
  const seen = { read: 0, refused: 0 }
  fc.assert(fc.property(valid, mutation, fc.boolean(), (command, { flips, cut, tail }, whole) => {
    const bytes = concat(whole ? command : command.subarray(0, cut), tail)
    for (const { at, mask } of flips) if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ mask
    const parsed = apdu.parseCommand(bytes)
    seen[parsed.ok ? 'read' : 'refused']++
    if (!parsed.ok) return /offset \d|Lc at offset 4/.test(parsed.error)
    const { cla, ins, p1, p2, data, le } = parsed
    return hex(apdu.command(cla, ins, p1, p2, data, le ?? undefined)) === hex(bytes)
  }), runs)
  t.ok(seen.read > 100 && seen.refused > 100, `both happen: ${JSON.stringify(seen)}`)
})

t.test('numbers, hexadecimal and BCD: both ways', async t => {
  const numbers = [[u16, readU16, 2], [u24, readU24, 3], [u32, readU32, 4]] as const
  for (const [write, read, length] of numbers) {
    fc.assert(fc.property(fc.nat({ max: 2 ** (8 * length) - 1 }), anyBytes(0, 4), (value, before) => {
      const written = write(value)
      return written.length === length && read(concat(before, written), before.length) === value
    }), runs)
    t.throws(() => write(2 ** (8 * length)), RangeError)
  }
  t.equal(hex(u24(0x010203)), '010203')
  t.equal(readU16(b('FF0102'), 1), 0x0102)

  fc.assert(fc.property(anyBytes(0, 40), fc.nat({ max: 40 }), (bytes, at) => {
    const text = hex(bytes)
    const spaced = ` ${text.slice(0, at)}\n ${text.slice(at).toLowerCase()} `
    return hex(unhex(spaced)) === text && equalConstantTime(unhex(text), bytes)
  }), runs)
  const digitPairs = fc.stringMatching(/^([0-9]{2}){0,20}$/)
  fc.assert(fc.property(digitPairs, digits => unbcd(bcd(digits)) === digits), runs)
  t.equal(unbcd(b('1A')), null)
  t.equal(equalConstantTime(b('0102'), b('0103')), false)
  t.equal(equalConstantTime(b('0102'), b('010203')), false)
  t.equal(hex(b('0001020304').subarray(2, 4)), '0203', 'a view into other bytes')
})

t.test('secured data comes back', async t => {
  for (const suite of Object.values(suites)) {
    fc.assert(fc.property(anyBytes(16), anyBytes(0, 255), (key, plain) => {
      const cryptogram = mac.secureMessagingEncrypt({ suite, key, plain })
      const back = mac.secureMessagingDecrypt({ suite, key, cryptogram })
      return back !== null && hex(back) === hex(plain) && cryptogram.length - plain.length <= suite.block
    }), runs)
  }
})

// The same MACs and keys block by block: no chaining mode, no padding but our own here.
t.test('MACs and keys, one block at a time', async t => {
  const cipherOf = { '3des': 'des-ede', sm4: 'sm4-ecb' } as const
  for (const suite of Object.values(suites)) {
    const block = (key: Uint8Array, data: Uint8Array): Uint8Array => {
      const cipher = createCipheriv(cipherOf[suite.name], key.length === 8 ? concat(key, key) : key, null)
      return cipher.setAutoPadding(false).update(data)
    }
    const chain = (key: Uint8Array, data: Uint8Array): Uint8Array => {
      let last = new Uint8Array(suite.block)
      const padded = [...data, 0x80]
      while (padded.length % suite.block !== 0) padded.push(0)
      for (let at = 0; at < padded.length; at += suite.block) {
        last = Uint8Array.from(block(key, last.map((byte, index) => byte ^ (padded[at + index] ?? 0))))
      }
      return last.subarray(0, 4)
    }
    fc.assert(fc.property(anyBytes(suite.block), anyBytes(0, 64), (key, data) => {
      const expected = hex(chain(key, data))
      return hex(suite.mac(key, data)) === expected && hex(suite.tac(key, data)) === expected
    }), runs)

    fc.assert(fc.property(anyBytes(16), anyBytes(8), anyBytes(8), (key, one, two) => {
      const level = (from: Uint8Array, factor: Uint8Array) => {
        const not = factor.map(byte => 255 - byte)
        return suite.block === 16
          ? block(from, concat(factor, not))
          : concat(block(from, factor), block(from, not))
      }
      const kept = diversifier(suite, key)
      return hex(diversify(suite, key, [one, two])) === hex(level(level(key, one), two)) &&
        hex(kept(one)) === hex(level(key, one)) && hex(kept(two)) === hex(level(key, two))
    }), runs)
  }
  t.pass('the same')
})

t.test('single DES as the standard has it', async t => {
  // NIST SP 800-17, appendix A: variable plaintext, variable key and permutation operation known answers.
  for (const [key, plain, cipher] of [
    ['0101010101010101', '8000000000000000', '95F8A5E5DD31D900'],
    ['0101010101010101', '0000000000000001', '166B40B44ABA4BD6'],
    ['8001010101010101', '0000000000000000', '95A8D72813DAA94D'],
    ['1046913489980131', '0000000000000000', '88D55E54F54C97B4']
  ] as const) t.equal(hex(desChain(unhex(key), unhex(plain))), cipher, `${key} ${plain}`)
  t.throws(() => desChain(new Uint8Array(16), new Uint8Array(8)), RangeError)
  t.throws(() => desChain(new Uint8Array(8), new Uint8Array(9)), RangeError)
})

t.test('a social-security card: names, records both ways, every cut', async t => {
  t.same(ssseNames.map(name => Buffer.from(name.subarray(0, 7)).toString()), ['sx1.sh.', 'sx2.sh.'])
  t.same(ssseNames.map(name => new TextDecoder('gb2312').decode(name.subarray(7))), ['社会保障', '社会保障'])
  // GB2312: 张 D5C5, 三 C8FD.
  const name = `021E${'D5C5C8FD'}${'00'.repeat(26)}`
  t.equal(hex(buildSsseRecord(0x06, 'name', '张三')), name)
  t.match(readSsseRecord(0x06, unhex(name)), { ok: true, field: { name: 'name', value: '张三' } })
  t.match(readSsseRecord(0x06, unhex('0104 5A5A5A58')), { field: { name: 'idNumber', value: 'ZZZX' } })
  t.match(readSsseRecord(0x05, unhex('0604 20361231')), { field: { name: 'validUntil', value: '20361231' } })
  t.match(readSsseRecord(0x06, unhex('7F01 00')), { ok: true, field: null }, 'a tag of another generation')
  for (let cut = 0; cut < 32; cut++) {
    const part = readSsseRecord(0x06, unhex(name).subarray(0, cut))
    t.match(part, { ok: false, error: /^file 06/ }, `cut at ${cut}`)
  }
  t.throws(() => buildSsseRecord(0x06, 'name', '😀'), /GBK has no/)
  t.throws(() => buildSsseRecord(0x05, 'validUntil', '2036'), /has 4 bytes, not 2/)
})
