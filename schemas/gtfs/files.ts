// The files of GTFS that say something about fares, as a table: columns that must be there, columns that may,
// what makes a row one of its kind. Rows that break this are left out and told of.
import { cell, readTable, type Row, type Table } from './csv.ts'
import type { Warn } from './warnings.ts'

type FileSpec = {
  readonly required: readonly string[], readonly optional: readonly string[],
  /** Must be unique together. */
  readonly key: readonly string[]
  /** Other columns are nothing to us. */
  readonly open?: true
}

/** GTFS Schedule reference: Fares v2, then v1, then what they point to. */
export const fileSpecs = {
  'fare_media.txt': {
    required: ['fare_media_id', 'fare_media_type'], optional: ['fare_media_name'], key: ['fare_media_id']
  },
  'rider_categories.txt': {
    required: ['rider_category_id', 'rider_category_name'],
    optional: ['is_default_fare_category', 'eligibility_url'], key: ['rider_category_id']
  },
  'fare_products.txt': {
    required: ['fare_product_id', 'amount', 'currency'],
    optional: ['fare_product_name', 'rider_category_id', 'fare_media_id'],
    key: ['fare_product_id', 'rider_category_id', 'fare_media_id']
  },
  'areas.txt': { required: ['area_id'], optional: ['area_name'], key: ['area_id'] },
  'stop_areas.txt': { required: ['area_id', 'stop_id'], optional: [], key: ['area_id', 'stop_id'] },
  'networks.txt': { required: ['network_id'], optional: ['network_name'], key: ['network_id'] },
  'route_networks.txt': { required: ['network_id', 'route_id'], optional: [], key: ['route_id'] },
  'timeframes.txt': {
    required: ['timeframe_group_id', 'service_id'], optional: ['start_time', 'end_time'],
    key: ['timeframe_group_id', 'start_time', 'end_time', 'service_id']
  },
  'fare_leg_rules.txt': {
    required: ['fare_product_id'],
    optional: ['leg_group_id', 'network_id', 'from_area_id', 'to_area_id', 'from_timeframe_group_id',
      'to_timeframe_group_id', 'rule_priority'],
    key: ['network_id', 'from_area_id', 'to_area_id', 'from_timeframe_group_id', 'to_timeframe_group_id',
      'fare_product_id']
  },
  'fare_leg_join_rules.txt': {
    required: ['from_network_id', 'to_network_id'], optional: ['from_stop_id', 'to_stop_id'],
    key: ['from_network_id', 'to_network_id', 'from_stop_id', 'to_stop_id']
  },
  'fare_transfer_rules.txt': {
    required: ['fare_transfer_type'],
    optional: ['from_leg_group_id', 'to_leg_group_id', 'transfer_count', 'duration_limit',
      'duration_limit_type', 'fare_product_id'],
    key: ['from_leg_group_id', 'to_leg_group_id', 'fare_product_id', 'transfer_count', 'duration_limit']
  },
  'fare_attributes.txt': {
    required: ['fare_id', 'price', 'currency_type'],
    optional: ['payment_method', 'transfers', 'agency_id', 'transfer_duration'], key: ['fare_id']
  },
  'fare_rules.txt': {
    required: ['fare_id'], optional: ['route_id', 'origin_id', 'destination_id', 'contains_id'],
    key: ['fare_id', 'route_id', 'origin_id', 'destination_id', 'contains_id']
  },
  'agency.txt': { required: ['agency_timezone'], optional: [], key: [], open: true },
  'stops.txt': { required: ['stop_id'], optional: [], key: ['stop_id'], open: true },
  'routes.txt': { required: ['route_id'], optional: [], key: ['route_id'], open: true },
  'calendar.txt': {
    required: ['service_id', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
    optional: [], key: ['service_id'], open: true
  },
  'calendar_dates.txt': {
    required: ['service_id', 'date'], optional: [], key: ['service_id', 'date'], open: true
  }
} as const satisfies Record<string, FileSpec>
export type FileName = keyof typeof fileSpecs

/** File names and their text, decoded from UTF-8. */
export type FeedFiles = Readonly<Record<string, string>>

export type Feed = {
  /** Sound rows; none where the file is not there. */
  readonly rows: (file: FileName) => readonly Row[]
  readonly hasColumn: (file: FileName, column: string) => boolean
}

export function openFeed (files: FeedFiles, warn: Warn): Feed {
  const tables = new Map<FileName, Table>()
  const table = (file: FileName): Table => {
    const known = tables.get(file)
    if (known !== undefined) return known
    const read = soundTable(file, Object.hasOwn(files, file) ? files[file] ?? '' : '', warn)
    tables.set(file, read)
    return read
  }
  return {
    rows: file => table(file).rows,
    hasColumn: (file, column) => table(file).columns.includes(column)
  }
}

function soundTable (file: FileName, text: string, warn: Warn): Table {
  if (text.trim() === '') return { file, columns: [], rows: [] }
  const spec: FileSpec = fileSpecs[file]
  const table = readTable(file, text, warn)
  const missing = spec.required.filter(column => !table.columns.includes(column))
  for (const column of missing) warn('column_missing', file, 1, { column })
  if (missing.length > 0) return { ...table, rows: [] }
  const known = [...spec.required, ...spec.optional]
  const unknown = spec.open === true ? [] : table.columns.filter(column => !known.includes(column))
  for (const column of unknown) warn('column_unknown', file, 1, { column })
  return { ...table, rows: soundRows(table, spec, warn) }
}

function soundRows ({ file, rows }: Table, { required, key }: FileSpec, warn: Warn): Row[] {
  const lines = new Map<string, number>()
  return rows.filter(row => {
    const empty = required.find(column => cell(row, column) === '' && !mayBeEmpty.has(column))
    if (empty !== undefined) {
      warn('value_missing', file, row.line, { column: empty })
      return false
    }
    const identity = JSON.stringify(key.map(column => cell(row, column)))
    const first = lines.get(identity)
    if (first !== undefined && key.length > 0) {
      warn('row_repeated', file, row.line, { first })
      return false
    }
    lines.set(identity, row.line)
    return true
  })
}
/** Names are for people. */
const mayBeEmpty: ReadonlySet<string> = new Set(['rider_category_name', 'agency_timezone'])
