// What a feed got wrong and what GTFS cannot say, one line each: where, what, and what to do about it, in
// Chinese and English. A table of words and nothing else.
import { filled } from '../tariff/explain.ts'

export type Severity = 'error' | 'warning' | 'note'
type Row = { readonly severity: Severity, readonly zh: string, readonly en: string }

/** An error leaves a row out or ends the import; a warning takes something otherwise than it is written. */
export const warningTexts = {
  file_missing: { severity: 'error', zh: '缺少文件', en: 'the file is missing' },
  no_fares: {
    severity: 'error', zh: '既无 fare_leg_rules.txt 也无 fare_attributes.txt 的有效票价',
    en: 'there is no usable fare in fare_leg_rules.txt and none in fare_attributes.txt'
  },
  quote_broken: { severity: 'error', zh: '引号不成对', en: 'a quotation mark is not closed or stands in a cell' },
  column_missing: { severity: 'error', zh: '缺少列 {column}', en: 'the column {column} is missing' },
  column_repeated: { severity: 'error', zh: '列 {column} 重复', en: 'the column {column} is there twice' },
  column_unknown: {
    severity: 'note', zh: '未知列 {column}，已忽略', en: 'the column {column} is not in the standard; it is not read'
  },
  cells_count: {
    severity: 'error', zh: '有 {cells} 个单元格，表头 {columns} 列；该行忽略',
    en: '{cells} cells where the header has {columns}; the row is left out'
  },
  blank_trimmed: { severity: 'warning', zh: '{column} 首尾有空格，已去除', en: 'blanks around {column} are removed' },
  value_missing: {
    severity: 'error', zh: '{column} 为空；该行忽略', en: '{column} is empty; the row is left out'
  },
  value_wrong: {
    severity: 'error', zh: '{column} 的值“{value}”无效；该行忽略',
    en: '{column} cannot be “{value}”; the row is left out'
  },
  row_repeated: {
    severity: 'error', zh: '与第 {first} 行主键相同；该行忽略',
    en: 'the same key as line {first}; the row is left out'
  },
  reference_unknown: {
    severity: 'error', zh: '{column} 的“{value}”在 {target} 中不存在；该行忽略',
    en: '{column} “{value}” is not in {target}; the row is left out'
  },
  reference_empty: {
    severity: 'warning', zh: '{column} 的“{value}”在 {target} 中没有成员',
    en: '{column} “{value}” has nothing in {target}'
  },
  currency_mixed: {
    severity: 'error', zh: '币种 {value} 与其余的 {currency} 不同；该行忽略',
    en: 'currency {value} where the others have {currency}; the row is left out'
  },
  default_category: {
    severity: 'warning', zh: '有 {count} 个默认乘客类别，应为一个',
    en: '{count} default rider categories; there should be one'
  },
  no_ordinary_price: {
    severity: 'error', zh: '规则 {rule} 没有普通乘客的票价；该规则忽略',
    en: 'rule {rule} has no price for the default rider category; it is left out'
  },
  media_left_out: {
    severity: 'note', zh: '产品 {product} 有多种票卡介质；采用 {media}',
    en: 'product {product} has prices for several media; that of {media} is taken'
  },
  product_as_pass: {
    severity: 'note', zh: '产品 {product} 不在任何规则中，作为月票导入；有效期请自行填写',
    en: 'product {product} is in no rule: taken as a pass, whose validity has to be set by hand'
  },
  same_lines: {
    severity: 'warning', zh: '规则 {rule} 的线路已由 {other} 定价；取较低者',
    en: 'rule {rule} prices lines that {other} prices already; the cheaper counts'
  },
  contains_unsupported: {
    severity: 'error', zh: 'contains_id 需要途经区域，刷卡记录中没有；该行忽略',
    en: 'contains_id needs zones on the way, which taps do not tell; the row is left out'
  },
  join_unsupported: {
    severity: 'warning', zh: '未导入合并区段规则；请改用一个服务覆盖这些线路',
    en: 'legs are not joined; let one service have all these lines instead'
  },
  calendar_exceptions: {
    severity: 'warning', zh: '时段 {timeframe} 的 {service} 有例外日期，未导入',
    en: 'timeframe {timeframe}: the exceptions of {service} in calendar_dates.txt are not read'
  },
  window_assumed: {
    severity: 'warning', zh: '换乘没有时限；按 {seconds} 秒',
    en: 'the transfer has no time limit; {seconds} s are taken'
  },
  transfer_of_class: {
    severity: 'warning', zh: '换乘产品 {product} 按普通乘客的价格',
    en: 'transfer {product} has its ordinary price for every class'
  },
  group_without_rules: {
    severity: 'warning', zh: '换乘中的 {group} 没有票价规则；该行忽略',
    en: 'no leg rule has the group {group} of this transfer; the row is left out'
  },
  v1_ignored: {
    severity: 'note', zh: '已有 Fares v2；忽略 fare_attributes.txt',
    en: 'Fares v2 is there; fare_attributes.txt is not read'
  },
  time_zone_unknown: {
    severity: 'warning', zh: '时区“{value}”未知；采用东八区', en: 'time zone “{value}” is not known; UTC+8 is taken'
  },
  summer_time: {
    severity: 'warning', zh: '{value} 有夏令时；票价文件采用固定偏移 {minutes} 分钟',
    en: '{value} has summer time; the document has one offset, {minutes} minutes: import again'
  },
  incomplete_assumed: {
    severity: 'warning', zh: 'GTFS 没有不完整行程的票价；采用最高票价 {amountFen}',
    en: 'GTFS has no price of a journey whose exit is missing; the dearest, {amountFen}, is taken'
  },
  not_in_gtfs: {
    severity: 'note', zh: 'GTFS 不能表达：封顶、月累计、每日次数、财政补贴、下车退差；请在票价文件中补充',
    en: 'GTFS cannot say caps, ladders, rides a day, treasury shares and what alighting gives back: add them'
  },
  document_wrong: {
    severity: 'error', zh: '生成的票价文件：{where} {text}', en: 'the document that comes of it: {where} {text}'
  }
} as const satisfies Record<string, Row>
export type WarningCode = keyof typeof warningTexts

export type Warning = {
  readonly severity: Severity, readonly code: WarningCode, readonly file: string
  /** As an editor counts them; null where it is about the whole file. */
  readonly line: number | null
  readonly inputs: Readonly<Record<string, string | number>>
}
export type Warn = (code: WarningCode, file: string, line: number | null, inputs?: Warning['inputs']) => void

/** Gathers them in the order in which they were found. */
export function warnings (): { readonly all: Warning[], readonly warn: Warn } {
  const all: Warning[] = []
  return {
    all,
    warn: (code, file, line, inputs = {}) => {
      all.push({ severity: warningTexts[code].severity, code, file, line, inputs })
    }
  }
}

/** `fare_products.txt:8: the same key as line 7; the row is left out` */
export const tellWarning = ({ code, file, line, inputs }: Warning, language: 'zh' | 'en'): string =>
  `${file}${line === null ? '' : `:${line}`}: ${filled(warningTexts[code][language], inputs)}`
