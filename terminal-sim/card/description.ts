// What a virtual card is made from, and what it can be asked outside its protocol: plain data, fit for JSON.
// It refuses to know commands.

import { cardFactor, diversify, orderFactors, type FactorOrder } from '../../schemas/epurse/keys.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { type KeyUsages, keyUsages } from '../../schemas/epurse/key-set.ts'
import { profiles, type ProfileName } from '../../schemas/epurse/profiles.ts'
import { suites, type SuiteName } from '../../schemas/epurse/suite.ts'
import { limits } from '../../schemas/limits.ts'
import { testMasterKey } from '../keys.ts'
import { wantBytes, wantNumber } from '../checks.ts'
import type { AnswerForm } from './response.ts'

export type CardDescription = {
  readonly profile: ProfileName
  /** 8 bytes: file 0015, offset 0. */
  readonly issuer: string
  /** 10 bytes: file 0015, offset 10. */
  readonly serial: string
  /** Real value on the electronic purse; 0 unless given. */
  readonly balanceFen?: number
  readonly overdraft?: { readonly limitFen: number, readonly usedFen?: number }
  /** Value of an electronic deposit beside the purse; without it the card has none. */
  readonly depositFen?: number
  /** As the next INITIALIZE answers them; 0 unless given. */
  readonly offlineCounter?: number
  readonly onlineCounter?: number
  /** YYYYMMDD. The chip has no clock: checking them is the terminal's duty. */
  readonly startDate?: string
  readonly expiryDate?: string
  /** T-Union: file 0017, 2 bytes hex each, and the class code; city union: main card type in file 0015. */
  readonly cardClass?: number
  readonly province?: string
  readonly city?: string
  readonly interoperable?: boolean
  /** Whole binary files, hex, by file id: they win over what is made from the fields above. */
  readonly files?: Readonly<Record<string, string>>
  readonly lock?: Lock
  /** Wanted before a load; absent: the card has none. */
  readonly pin?: CardPin
  /**
   * As its maker delivers it: files of FF, no keys but the transport key, no PIN. Issuer and serial are those
   * of file 0015 then, whatever stands above.
   */
  readonly blank?: Blank
  readonly keyVersion?: number
  readonly suite?: SuiteName
  /** As the INITIALIZE answers it; 00 for 3DES. No value is public for SM4: 04 here. */
  readonly algorithm?: number
  /** Card keys; the test scheme's own unless given. */
  readonly keys?: CardKeys
  /** 9 bytes, of a card that has one. */
  readonly authCode?: string
  readonly settings?: Partial<CardSettings>
  readonly atr?: string
}

/** `temporary` and `permanent` lock the application, `card` everything. */
export type Lock = 'none' | 'temporary' | 'permanent' | 'card'

/** 4 to 12 digits, and how often wrong ones are taken in a row: 3 unless given. */
export type CardPin = { readonly digits: string, readonly tries?: number }

/** 16 bytes; the test scheme's own unless given. */
export type Blank = { readonly transportKey?: string }

/**
 * Purchase, load, TAC and maintenance key of one card, those that unblock and reload its PIN, and the one
 * that writes keys: 16 bytes each.
 */
export type CardKeys = {
  readonly dpk: string, readonly dlk: string, readonly dtk: string, readonly damk?: string
  readonly dpuk?: string, readonly drpk?: string, readonly dmk?: string
}

/** What differs between chips of one family, or is not settled by public sources. */
export type CardSettings = {
  readonly answers: AnswerForm
  /** SELECT of a locked application. */
  readonly lockedSw: number
  /** DEBIT, CREDIT or UPDATE CAPP that nothing has initialised. */
  readonly outOfOrderSw: number
  /** P1 of GET BALANCE chooses spendable, limit, used, real (T-Union); else it must be 00. */
  readonly balanceSelectors: boolean
  /** Version in the FCI (tag 9F08); null where the FCI has none. */
  readonly fciVersion: number | null
  readonly purchaseKeyIndex: number
  readonly loadKeyIndex: number
  /** How often in a row a wrong MAC is taken under a key that counts. */
  readonly keyTries: number
  /** RELOAD PIN with a wrong MAC. */
  readonly reloadMacSw: number
  /** Where PIN UNBLOCK names the PIN. */
  readonly unblockNames: 'p1' | 'p2'
  /** Usage byte of each key in WRITE KEY. */
  readonly keyUsages: KeyUsages
}

const common = {
  answers: 'direct', purchaseKeyIndex: 1, loadKeyIndex: 1, keyTries: 3, reloadMacSw: 0x9302,
  unblockNames: 'p2', keyUsages
} as const

const cityUnion: CardSettings = {
  ...common, lockedSw: profiles.cjt166.blockedSw, outOfOrderSw: 0x6901, balanceSelectors: false,
  fciVersion: 1
}

const settings: Readonly<Record<ProfileName, CardSettings>> = {
  't-union': {
    ...common, lockedSw: profiles['t-union'].blockedSw, outOfOrderSw: 0x6985, balanceSelectors: true,
    fciVersion: 2
  },
  cjt166: cityUnion,
  'cjt166-auth': cityUnion,
  pboc: {
    ...common, lockedSw: profiles.pboc.blockedSw, outOfOrderSw: 0x6901, balanceSelectors: false,
    fciVersion: null
  }
}

export const settingsOf = (description: CardDescription): CardSettings =>
  ({ ...settings[description.profile], ...description.settings })

export const algorithmOf = ({ algorithm, suite = '3des' }: CardDescription): number =>
  algorithm ?? (suite === '3des' ? 0x00 : 0x04)

export type MasterKeys = {
  readonly purchase: Uint8Array, readonly load: Uint8Array, readonly tac: Uint8Array
  readonly maintenance: Uint8Array, readonly pinUnblock: Uint8Array, readonly pinReload: Uint8Array
  readonly master: Uint8Array
}

export const testMasterKeys = (): MasterKeys => ({
  purchase: testMasterKey('MPK'), load: testMasterKey('MLK'), tac: testMasterKey('MTK'),
  maintenance: testMasterKey('MAMK'), pinUnblock: testMasterKey('MPUK'), pinReload: testMasterKey('MRPK'),
  master: testMasterKey('MMK')
})

/**
 * The card's maker: keys of this card under these masters. Load and TAC keys have one level, the card's; the
 * purchase key has the levels that the family's terminals hand to the PSAM.
 */
export function personalise (
  description: CardDescription, masters: MasterKeys, order: FactorOrder = 'city-first'
): Required<CardKeys> {
  const suite = suites[description.suite ?? '3des']
  const card = cardFactor(unhex(description.serial))
  const hasCity = profiles[description.profile].psamFactors.includes('issuer')
  const city = hasCity ? unhex(description.issuer) : null
  return {
    dpk: hex(diversify(suite, masters.purchase, orderFactors(order, city, card))),
    dlk: hex(diversify(suite, masters.load, [card])),
    dtk: hex(diversify(suite, masters.tac, [card])),
    damk: hex(diversify(suite, masters.maintenance, [card])),
    dpuk: hex(diversify(suite, masters.pinUnblock, [card])),
    drpk: hex(diversify(suite, masters.pinReload, [card])),
    dmk: hex(diversify(suite, masters.master, [card]))
  }
}

/** Throws RangeError naming the field that cannot be. */
export function checkDescription (description: CardDescription): void {
  const { profile, issuer, serial, overdraft, authCode, keys } = description
  if (!(profile in profiles)) throw new RangeError(`card.profile: no family named ${profile}`)
  wantBytes('card.issuer', issuer, 8)
  wantBytes('card.serial', serial, 10)
  const { pin } = description
  if (pin !== undefined && !/^(\d\d){2,6}$/.test(pin.digits)) {
    throw new RangeError('card.pin.digits: 4 to 12 digits wanted, an even number of them')
  }
  wantNumber('card.pin.tries', pin?.tries, 0, 15)
  if (description.blank !== undefined) checkBlank(description, description.blank)
  if (authCode !== undefined) wantBytes('card.authCode', authCode, 9)
  for (const [name, key] of Object.entries(keys ?? {})) wantBytes(`card.keys.${name}`, key, 16)
  wantNumber('card.balanceFen', description.balanceFen, 0, limits.balanceFenMax)
  wantNumber('card.depositFen', description.depositFen, 0, limits.balanceFenMax)
  wantNumber('card.offlineCounter', description.offlineCounter, 0, limits.counterMax)
  wantNumber('card.onlineCounter', description.onlineCounter, 0, limits.counterMax)
  wantNumber('card.overdraft.limitFen', overdraft?.limitFen, 0, 0xff_ffff)
  wantNumber('card.overdraft.usedFen', overdraft?.usedFen, 0, overdraft?.limitFen ?? 0)
  if ((overdraft?.usedFen ?? 0) > 0 && (description.balanceFen ?? 0) > 0) {
    throw new RangeError('card.overdraft.usedFen: a purse with real value has no used overdraft')
  }
}

/** What only an issued card has. */
function checkBlank (description: CardDescription, { transportKey }: Blank): void {
  if (transportKey !== undefined) wantBytes('card.blank.transportKey', transportKey, 16)
  const filled = (['pin', 'keys', 'files', 'balanceFen', 'lock'] as const)
    .find(field => description[field] !== undefined)
  if (filled !== undefined) throw new RangeError(`card.${filled}: a blank card has none`)
}

/** The true state of a card. Amounts in fen, records newest first, hex in upper case. */
export type CardReport = {
  readonly profile: ProfileName
  readonly issuer: string
  readonly serial: string
  readonly lock: Lock
  /** Null for a card without a PIN. */
  readonly pinTriesLeft: number | null
  readonly purse: PurseReport
  readonly deposit: PurseReport | null
  /** File 0018. */
  readonly log: readonly LogEntry[]
  /** Records of the composite purchase's files (T-Union 001E and 001A, city union 0017), as stored. */
  readonly capp: Readonly<Record<string, readonly string[]>>
  /** What GET TRANSACTION PROVE would answer. */
  readonly proof: Proof | null
}

export type PurseReport = {
  /** Real value less used overdraft: signed. */
  readonly balanceFen: number
  readonly realFen: number
  readonly usedFen: number
  readonly limitFen: number
  /** How often the chip has debited and loaded: the committed counters. */
  readonly offlineCounter: number
  readonly onlineCounter: number
}

export type LogEntry = {
  readonly counter: number, readonly overdraftFen: number, readonly amountFen: number, readonly type: number
  readonly terminal: string, readonly date: string, readonly time: string
}

/** Of the last committed transaction; `counter` is the committed one. */
export type Proof = {
  readonly type: number, readonly counter: number, readonly mac2: string, readonly tac: string
}
