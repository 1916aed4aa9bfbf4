// The card families as data: how to find the application, what to read, which form of purchase, which factors
// the PSAM gets. What sources do not settle is a setting here, never a constant in a session.
import { unhex } from './hex.ts'
import { transactionTypes } from './transaction-types.ts'

export const profileNames = ['pboc', 'cjt166', 'cjt166-auth', 't-union'] as const
export type ProfileName = typeof profileNames[number]

export type FileToRead =
  | { readonly kind: 'binary', readonly sfi: number, readonly le: number }
  | { readonly kind: 'record', readonly sfi: number, readonly record: number, readonly le: number }

/** A record written together with the debit: file, P1, and whether P1 is a record number or a tag. */
export type CappUpdate = { readonly sfi: number, readonly record: number, readonly by: 'number' | 'tag' }

export type Profile = {
  readonly name: ProfileName
  /** DF name of the application on the card. */
  readonly aid: Uint8Array
  /** What a terminal reads after SELECT, in this order; Le 0 asks for all. The first is file 0015. */
  readonly reads: readonly FileToRead[]
  readonly purchase: 'simple' | 'capp'
  /** Transaction type of that form: in MAC1, in the TAC, in file 0018. */
  readonly purchaseType: 0x06 | 0x09
  /** Written with every composite purchase. */
  readonly cappUpdate: CappUpdate | null
  /** Written as well, and first, where fares depend on boarding and alighting. */
  readonly tripUpdate: CappUpdate | null
  /** P1 of GET BALANCE for the value that terminals print and use. */
  readonly balanceSelector: number
  /** Whether MAC1 covers the card's authentication code. */
  readonly authCode: boolean
  /** Factors of INIT SAM FOR PURCHASE in the order of the command: the card's first. */
  readonly psamFactors: readonly ('card' | 'issuer')[]
  readonly psamSelect: { readonly fid: number } | { readonly name: Uint8Array }
  /** Status word of SELECT on a blocked application; a terminal treats any of `isLocked` alike. */
  readonly blockedSw: number
  readonly pinForLoad: boolean
  /** Whether reading file 0018 needs the PIN. */
  readonly pinForLog: boolean
}

const file15: FileToRead = { kind: 'binary', sfi: 0x15, le: 0 }

const cityUnion = {
  aid: unhex('A00000000386980701'),
  reads: [file15, { kind: 'record', sfi: 0x17, record: 2, le: 0 }],
  purchase: 'capp',
  purchaseType: transactionTypes.cappPurchase,
  cappUpdate: { sfi: 0x17, record: 2, by: 'tag' },
  tripUpdate: null,
  balanceSelector: 0,
  psamFactors: ['card'],
  psamSelect: { fid: 0x1001 },
  blockedSw: 0x6A81,
  pinForLoad: false,
  pinForLog: false
} as const satisfies Omit<Profile, 'name' | 'authCode'>

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  't-union': {
    name: 't-union',
    aid: unhex('A000000632010105'),
    reads: [file15, { kind: 'binary', sfi: 0x17, le: 0 }, { kind: 'record', sfi: 0x1E, record: 1, le: 0 }],
    purchase: 'capp',
    purchaseType: transactionTypes.cappPurchase,
    cappUpdate: { sfi: 0x1E, record: 0, by: 'tag' }, // P1 00: append to the cyclic file
    tripUpdate: { sfi: 0x1A, record: 1, by: 'tag' },
    balanceSelector: 3,
    authCode: false,
    psamFactors: ['card', 'issuer'],
    psamSelect: { fid: 0x8011 },
    blockedSw: 0x6283,
    pinForLoad: false,
    pinForLog: false
  },
  cjt166: { ...cityUnion, name: 'cjt166', authCode: false },
  'cjt166-auth': { ...cityUnion, name: 'cjt166-auth', authCode: true },
  pboc: {
    name: 'pboc',
    aid: unhex('A00000000386980701'),
    reads: [file15],
    purchase: 'simple',
    purchaseType: transactionTypes.epPurchase,
    cappUpdate: null,
    tripUpdate: null,
    balanceSelector: 0,
    authCode: false,
    psamFactors: ['card'],
    psamSelect: { fid: 0x1001 },
    blockedSw: 0x6A81,
    pinForLoad: true,
    pinForLog: true
  }
}

/** Payment directories: contact, and contactless. */
export const pse = unhex('315041592E5359532E4444463031')
export const ppse = unhex('325041592E5359532E4444463031')

/**
 * The order in which a bus terminal looks for an application: T-Union, city union, then the contactless
 * directory, behind which only bank cards lie: none of these families.
 */
export const selectionOrder: readonly {
  readonly aid: Uint8Array,
  readonly profiles: readonly ProfileName[]
}[] = [
  { aid: profiles['t-union'].aid, profiles: ['t-union'] },
  { aid: profiles.cjt166.aid, profiles: ['cjt166', 'cjt166-auth', 'pboc'] },
  { aid: ppse, profiles: [] }
]

/** DF names of cities that have one of their own, and of electronic cash on T-Union cards. */
export const otherNames = {
  tUnionElectronicCash: unhex('A000000632010106'),
  cityUnionMonthPass: unhex('A00000000386980702'),
  cityUnionThird: unhex('A00000000386980703'),
  beijing: unhex('4F43'),
  jilin: unhex('A00000000886980701'),
  shenzhen: unhex('5041592E535A54'),
  suzhou: unhex('535558494E2E4444463031')
} as const
