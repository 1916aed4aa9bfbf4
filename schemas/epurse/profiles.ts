// The card families as data: how to find the application, what to read, which form of purchase, which factors
// the PSAM gets.
// What sources do not settle is a setting here, never a constant in a session.
import { unhex } from './hex.ts'

export type ProfileName = 'pboc' | 'cjt166' | 'cjt166-auth' | 't-union'

export type FileToRead =
  | { readonly kind: 'binary', readonly sfi: number, readonly le: number }
  | { readonly kind: 'record', readonly sfi: number, readonly record: number, readonly le: number }

export type Profile = {
  readonly name: ProfileName
  /** DF name of the application on the card. */
  readonly aid: Uint8Array
  /** What a terminal reads after SELECT, in this order; Le 0 asks for all. The first is file 0015. */
  readonly reads: readonly FileToRead[]
  readonly purchase: 'simple' | 'capp'
  /** CAPP records written with the debit: file, P1, and whether P1 is a record number or a tag. */
  readonly cappUpdate: { readonly sfi: number, readonly record: number, readonly by: 'number' | 'tag' } | null
  readonly balanceSelector: number
  readonly authCode: boolean
  /** Factors of 8070 in the order of the command: the card's first. */
  readonly psamFactors: readonly ('card' | 'issuer')[]
  readonly psamSelect: { readonly fid: number } | { readonly name: Uint8Array }
  /** Status word of SELECT on a blocked application. */
  readonly blockedSw: number
  readonly pinForLoad: boolean
}

const file15: FileToRead = { kind: 'binary', sfi: 0x15, le: 0 }

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  't-union': {
    name: 't-union',
    aid: unhex('A000000632010105'),
    reads: [file15, { kind: 'binary', sfi: 0x17, le: 0 }, { kind: 'record', sfi: 0x1E, record: 1, le: 0 }],
    purchase: 'capp',
    cappUpdate: { sfi: 0x1E, record: 0, by: 'tag' },
    balanceSelector: 3,
    authCode: false,
    psamFactors: ['card', 'issuer'],
    psamSelect: { fid: 0x8011 },
    blockedSw: 0x6283,
    pinForLoad: false
  },
  cjt166: {
    name: 'cjt166',
    aid: unhex('A00000000386980701'),
    reads: [file15, { kind: 'record', sfi: 0x17, record: 2, le: 0 }],
    purchase: 'capp',
    cappUpdate: { sfi: 0x17, record: 2, by: 'tag' },
    balanceSelector: 0,
    authCode: false,
    psamFactors: ['card'],
    psamSelect: { fid: 0x1001 },
    blockedSw: 0x6A81,
    pinForLoad: false
  },
  'cjt166-auth': {
    name: 'cjt166-auth',
    aid: unhex('A00000000386980701'),
    reads: [file15, { kind: 'record', sfi: 0x17, record: 2, le: 0 }],
    purchase: 'capp',
    cappUpdate: { sfi: 0x17, record: 2, by: 'tag' },
    balanceSelector: 0,
    authCode: true,
    psamFactors: ['card'],
    psamSelect: { fid: 0x1001 },
    blockedSw: 0x6A81,
    pinForLoad: false
  },
  pboc: {
    name: 'pboc',
    aid: unhex('A00000000386980701'),
    reads: [file15],
    purchase: 'simple',
    cappUpdate: null,
    balanceSelector: 0,
    authCode: false,
    psamFactors: ['card'],
    psamSelect: { fid: 0x1001 },
    blockedSw: 0x6A81,
    pinForLoad: true
  }
}

/**
 * The order in which a bus terminal looks for an application: T-Union, city union, then the contactless
 * directory of bank cards.
 */
export const selectionOrder: readonly {
  readonly aid: Uint8Array,
  readonly profiles: readonly ProfileName[]
}[] = [
  { aid: profiles['t-union'].aid, profiles: ['t-union'] },
  { aid: profiles.cjt166.aid, profiles: ['cjt166', 'cjt166-auth', 'pboc'] }
]
export const pse = unhex('315041592E5359532E4444463031')
export const ppse = unhex('325041592E5359532E4444463031')
