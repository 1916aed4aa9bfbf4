// The transfer rules of GTFS Fares v2 as ours, one for each pair of groups that a row speaks of.
import type { TransferRule } from '../tariff/document.ts'
import { cell, type Row } from './csv.ts'
import type { Feed, FileName } from './files.ts'
import type { Products } from './products.ts'
import { refers, wholeIn, windowAssumedSeconds } from './values.ts'
import type { Warn } from './warnings.ts'

const transferFile: FileName = 'fare_transfer_rules.txt'
const durationTypes = ['start_end', 'start_start', 'end_start', 'end_end'] as const

export function transferRules (
  feed: Feed, products: Products, groups: ReadonlySet<string>, warn: Warn
): TransferRule[] {
  const rows = feed.rows(transferFile)
  const listed = (column: string) => new Set(rows.map(row => cell(row, column)))
  const [froms, tos] = [listed('from_leg_group_id'), listed('to_leg_group_id')]
  const named = [...groups].filter(group => group !== '')
  const ids = new Set(products.keys())
  const groupsIn = (row: Row, column: string, taken: ReadonlySet<string>): string[] => {
    const group = cell(row, column)
    if (group === '') return named.filter(one => !taken.has(one))
    if (groups.has(group)) return [group]
    warn('group_without_rules', transferFile, row.line, { group })
    return []
  }
  return rows.flatMap(row => {
    const from = groupsIn(row, 'from_leg_group_id', froms)
    const to = groupsIn(row, 'to_leg_group_id', tos)
    const sold = refers(row, 'fare_product_id', ids, 'fare_products.txt', transferFile, warn)
    const terms = sold ? termsOf(row, products, warn) : null
    return terms === null ? [] : from.flatMap(one => to.map(other => ({ from: one, to: other, ...terms })))
  })
}

type Terms = Omit<TransferRule, 'from' | 'to'>

function termsOf (row: Row, products: Products, warn: Warn): Terms | null {
  const whole = <T>(column: string, absent: T, fits: (value: number) => boolean) =>
    wholeIn(row, column, transferFile, warn, absent, fits)
  const type = whole('fare_transfer_type', null, value => value >= 0 && value <= 2)
  const count = whole('transfer_count', -1, value => value === -1 || value > 0)
  const limit = whole('duration_limit', undefined, value => value > 0)
  const limitType = whole('duration_limit_type', 1, value => value >= 0 && value <= 3)
  if (type === null || count === null || limit === null || limitType === null) return null
  if (limit === undefined) warn('window_assumed', transferFile, row.line, { seconds: windowAssumedSeconds })
  const id = cell(row, 'fare_product_id')
  const product = products.get(id)
  if (Object.keys(product?.byClass ?? {}).length > 0) {
    warn('transfer_of_class', transferFile, row.line, { product: id })
  }
  const fen = product?.anyFen ?? 0
  return {
    windowSeconds: Math.min(limit ?? windowAssumedSeconds, 7 * 86_400),
    measured: durationTypes[limitType] ?? 'start_start',
    ...count > 0 ? { transfersMax: count } : {},
    price: type === 1
      ? { kind: 'add', fen }
      : { kind: type === 0 ? 'fare' : 'total', fen: Math.max(0, fen) }
  }
}
