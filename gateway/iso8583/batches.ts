// The end of a batch: totals that agree, or an upload of what the terminal has. What only one side has is for
// people to look at. It refuses to know how a request was paid.
import { field48, readField48, readField60 } from '../../schemas/iso8583/exchanges.ts'
import type { FieldValues } from '../../schemas/iso8583/fields.ts'
import type { EdgeHouse } from '../face.ts'
import type { Admitted } from './admission.ts'
import { type Book, stands, type TerminalState, totalsOf } from './book.ts'
import { isLater, refused, type Said } from './decisions.ts'
import { originalOf } from './requests.ts'
import { next } from './session.ts'

export type Batches = {
  settle (asked: Admitted): Promise<Said>
  takeUpload (asked: Admitted): Promise<Said>
  /** What stands here and not there is for people to look at: nobody knows who left with the goods. */
  endUpload (asked: Admitted): Promise<Said>
}

export function openBatches ({ log }: EdgeHouse, book: Book): Batches {
  async function settle ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch } = readField60(values[60] ?? '')
    const told = readField48(values[48] ?? '')
    if (told === null) return refused('unreadable')
    const { settled } = book.of(terminal)
    if (settled?.batch === batch) return { code: '00', fields: { 48: settled.totals } }
    const state = await openBatch({ log }, book, terminal, values)
    const ours = totalsOf(state.items.values())
    if (field48(told, 'asked') === field48(ours, 'asked')) {
      const totals = field48(told, 'equal')
      await book.change(terminal, { settled: { batch, totals } })
      log.info({ terminal, batch, totals: ours }, 'batch settled')
      return { code: '00', fields: { 48: totals } }
    }
    log.warn({ terminal, batch, told, ours }, 'the totals of a batch differ')
    await book.change(terminal, { session: next[state.session].unequal ?? state.session })
    return { code: '00', fields: { 48: field48(told, 'unequal') } }
  }

  async function takeUpload ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch } = readField60(values[60] ?? '')
    const { trace } = originalOf(values) ?? { trace: values[11] as string }
    const item = book.of(terminal).items.get(trace)
    if (item !== undefined && stands(item) && item.amountFen === Number(values[4])) {
      await book.change(terminal, { item: { ...item, uploaded: true } })
    } else {
      const differs = { trace, told: Number(values[4]), ours: item?.amountFen ?? null }
      log.error({ alarm: 'upload_differs', terminal, batch, ...differs },
        'a terminal uploads what the ledger has not approved like this')
    }
    return { code: '00' }
  }

  async function endUpload ({ terminal: { terminal }, values }: Admitted): Promise<Said> {
    const { batch } = readField60(values[60] ?? '')
    const { items } = book.of(terminal)
    const left = [...items.values()].filter(item => stands(item) && !item.uploaded)
    const missing = left.map(({ trace }) => trace)
    if (missing.length > 0) {
      log.error({ alarm: 'upload_misses', terminal, batch, missing },
        'approved transactions are not in the upload of a batch')
    }
    await book.change(terminal, { settled: { batch, totals: field48(totalsOf(items.values()), 'unequal') } })
    return { code: '00', fields: { 48: values[48] as string } }
  }

  return { settle, takeUpload, endUpload }
}

/** The state in the batch that the request names, which may be the next one. */
export async function openBatch (
  { log }: Pick<EdgeHouse, 'log'>, book: Book, terminal: string, values: FieldValues
): Promise<TerminalState> {
  const { batch } = readField60(values[60] ?? '')
  const { batch: open, items } = book.of(terminal)
  if (!isLater(batch, open)) return book.of(terminal)
  if (items.size > 0) {
    log.error({ alarm: 'batch_left', terminal, batch: open, totals: totalsOf(items.values()) },
      'a terminal leaves a batch that it did not settle')
  }
  await book.change(terminal, { batch })
  return book.of(terminal)
}
