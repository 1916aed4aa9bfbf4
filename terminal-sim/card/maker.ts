// The files of a new card, per family: layouts are the schemas', contents come from the description.
// It refuses to know what becomes of them.

import {
  encodeCappRecord, file0005, file0015, file0015Cjt, file0016Long, file0016Short, file0017TUnion, logRecord,
  ongoingTrip, tripRecord
} from '../../schemas/epurse/files.ts'
import { concat, hex, unhex } from '../../schemas/epurse/hex.ts'
import { encode } from '../../schemas/epurse/layout.ts'
import { profiles } from '../../schemas/epurse/profiles.ts'
import type { CardDescription } from './description.ts'
import type { File, Files } from './files.ts'

export type Directories = { readonly master: Files, readonly application: Files }

export function makeFiles (description: CardDescription): Directories {
  const made = filledFiles(description)
  return description.blank === undefined
    ? made
    : { master: emptied(made.master), application: emptied(made.application) }
}

/** As a maker delivers them: the files are there, and nobody has written into the binary ones. */
const emptied = (files: Files): Files => Object.fromEntries(Object.entries(files).map(([fid, file]) =>
  [fid, file.kind === 'binary' ? { ...file, bytes: 'F'.repeat(file.bytes.length) } : file]))

function filledFiles (description: CardDescription): Directories {
  const { master, application } = makers[description.profile](description)
  const given = Object.entries(description.files ?? {}).map(([fid, text]) => [fid, binary(unhex(text))])
  return {
    master: { '0001': directoryFile(description), ...master },
    application: { '0018': cyclic(logRecord.length, 10), ...application, ...Object.fromEntries(given) }
  }
}

const validity = { start: '20200101', expiry: '20991231' } as const

type Maker = (description: CardDescription) => { master: Files, application: Files }

const cityUnion: Maker = description => ({
  master: { '0005': binary(encode(file0005, masterFields(description))) },
  application: {
    '0015': binary(encode(file0015Cjt, {
      ...published(description, 1, 1), mainType: description.cardClass ?? 1
    })),
    '0016': binary(encode(file0016Long, {})),
    '0017': { kind: 'tagged', lockAt: 2, records: cityUnionRecords },
    '001A': cyclic(logRecord.length, 10)
  }
})

/** Issuer, city and industry are the first three pairs of bytes of the issuer id. */
const masterFields = ({
  issuer, serial, startDate = validity.start, expiryDate = validity.expiry
}: CardDescription) => ({
  issuerCode: issuer.slice(0, 4), cityCode: issuer.slice(4, 8), industryCode: issuer.slice(8, 12),
  serial: serial.slice(4), issueDate: startDate, startDate, expiryDate
})

const makers: Readonly<Record<CardDescription['profile'], Maker>> = {
  't-union': description => ({
    master: {},
    application: {
      '0015': binary(encode(file0015, published(description, 2, 1))),
      '0016': binary(encode(file0016Long, {})),
      '0017': binary(encode(file0017TUnion, {
        country: '00000156',
        province: description.province ?? '5800',
        city: description.city ?? '5840',
        interoperable: description.interoperable === false ? '0000' : '0001',
        cardClass: description.cardClass ?? 1
      })),
      '001A': { kind: 'linear', length: ongoingTrip.length, lockAt: 5, records: ongoingTrips },
      '001E': cyclic(tripRecord.length, 30)
    }
  }),
  cjt166: cityUnion,
  'cjt166-auth': cityUnion,
  pboc: description => ({
    master: {},
    application: {
      '0015': binary(encode(file0015, published(description, 2, 1))),
      '0016': binary(encode(file0016Short, {}))
    }
  })
}

const published = (description: CardDescription, applicationType: number, version: number) => ({
  issuer: description.issuer,
  serial: description.serial,
  applicationType,
  version,
  startDate: description.startDate ?? validity.start,
  expiryDate: description.expiryDate ?? validity.expiry
})

/** Tags 01 to 05 and 09 have 2E bytes after the length byte, the application control record 11 has 16. */
const cityUnionRecords = [0x01, 0x02, 0x03, 0x04, 0x05, 0x09, 0x11].map(tag => {
  const payload = new Uint8Array((tag === 0x11 ? 0x16 : 0x2E) - 1)
  return hex(encodeCappRecord({ tag, locked: false, payload }))
})

const ongoingTrips = ['2701', '2702'].map(id => hex(encode(ongoingTrip, { id, length: 0x7D, valid: 1 })))

/** The entry of the payment directory: 70, 61, 4F application id, 50 label. */
const directoryFile = ({ profile }: CardDescription): File => ({
  kind: 'linear',
  length: 0,
  lockAt: 0,
  records: [hex(tlv(0x70, tlv(0x61, tlv(0x4F, profiles[profile].aid), tlv(0x50, Buffer.from('PBOC')))))]
})

const binary = (bytes: Uint8Array): File => ({ kind: 'binary', bytes: hex(bytes) })
const cyclic = (length: number, count: number): File => ({ kind: 'cyclic', length, count, records: [] })

/** A data object of at most 127 bytes under a tag of one or two bytes (ISO/IEC 7816-4). */
export function tlv (tag: number, ...values: readonly Uint8Array[]): Uint8Array {
  const value = concat(...values)
  const head = tag > 0xff ? [tag >> 8, tag & 0xff] : [tag]
  return concat(Uint8Array.from([...head, value.length]), value)
}
