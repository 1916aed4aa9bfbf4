// Journals beside the spool: what the desk took back, loads, blocks of cards, sessions of ISO 8583. Power is
// cut at every byte they write: what was promised is there, what was not may be, nothing is there twice.
import t, { type Test } from 'tap'
import { openBlocks } from '../gateway/blocks/blocks.ts'
import { openDesk } from '../gateway/desk.ts'
import { type Book, openBook as openSessions, type Change } from '../gateway/iso8583/book.ts'
import { type Load, openBook as openLoadBook, type Outcome, type Step } from '../gateway/loads/book.ts'
import { type Journal, openJournal } from '../gateway/spool/journal.ts'
import { segmentsOf } from '../gateway/spool/segments.ts'
import type { AskAndTell } from '../gateway/telling.ts'
import { manualClock } from '../runtime/clock.ts'
import { HttpAnswerError, type HttpClient } from '../runtime/http-client.ts'
import { createLog } from '../runtime/log.ts'
import type { BlockOutcome } from '../schemas/card-block.ts'
import { type CardRef, cardKey } from '../schemas/record.ts'
import { cardOf } from './support/posting.ts'
import { powerCuts, type RecordingDisk, recordingDisk } from './support/recording-disk.ts'

t.setTimeout(240_000)
const clock = manualClock(Date.parse('2026-03-02T08:00:00+08:00'))
/** So small that a short story goes over several files, each with a snapshot. */
const journal = { segmentBytesMax: 400 }

type Story<S> = {
  /** `now`: what is on disk from this moment on, as the journal may be found after it. */
  run (disk: RecordingDisk, now: (state: S) => void): Promise<void>
  /** Opens what is left, and says what is in it. */
  look (disk: RecordingDisk): Promise<S>
}

/** After each cut the state is the last one that was promised, or the next, which was being written. */
async function atEveryByte<S> (t: Test, { run, look }: Story<S>): Promise<void> {
  const disk = recordingDisk()
  const states: string[] = []
  await run(disk, state => {
    states.push(JSON.stringify(state))
    disk.operations.push({ kind: 'promise', promise: states.length })
  })
  t.ok(segmentsOf(disk).length >= 2, `${segmentsOf(disk).length} files`)
  let promised = 0
  const before = disk.operations.map(({ kind }) => kind === 'promise' ? promised++ : promised)
  let cuts = 0
  for (const { cut, byte, image } of powerCuts(disk.operations)) {
    const last = before[cut] ?? promised
    const fitting = states.slice(Math.max(0, last - 1), last + 1)
    const found = await look(recordingDisk(image)).then(state => JSON.stringify(state), String)
    if (!fitting.includes(found)) {
      t.fail(`operation ${cut}, byte ${byte}: ${found}`, { fitting })
      return
    }
    cuts += 1
  }
  t.ok(cuts > 1_000, `${cuts} power cuts`)
}

/* ---- any journal ---- */

/** Keeps the numbers it was given, in order; a snapshot is all of them. */
async function openList (files: RecordingDisk): Promise<{ list: number[], journal: Journal<number> }> {
  const list: number[] = []
  return {
    list,
    journal: await openJournal<number>({
      files, clock, apply: one => { list.push(one) }, snapshot: () => list, limits: { segmentBytesMax: 30 }
    })
  }
}
/** Of ten digits: entries of a length that fills files. */
const first = 1_000_000_001
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => first + index)

t.test('a journal: a beginning of what was told, all of what was promised, each once', async t => {
  const disk = recordingDisk()
  const { journal, list } = await openList(disk)
  // Alone, and several that share a flush.
  for (const together of [1, 1, 4, 1, 6, 2, 1, 5]) {
    await Promise.all(Array.from({ length: together }, async () => {
      const count = list.length // the entry counts at once
      await journal.append(first + count)
      disk.operations.push({ kind: 'promise', promise: count + 1 })
    }))
  }
  await journal.close()
  t.same(list, upTo(21))
  t.ok(segmentsOf(disk).length >= 3, `${segmentsOf(disk).length} files`)
  let promised = 0
  const before = disk.operations.map(one => {
    const until = promised
    if (one.kind === 'promise') promised = Math.max(promised, one.promise as number)
    return until
  })
  let cuts = 0
  for (const { cut, byte, image } of powerCuts(disk.operations)) {
    const left = recordingDisk(image)
    const found = await openList(left)
    const at = `operation ${cut}, byte ${byte}`
    const { length } = found.list
    if (JSON.stringify(found.list) !== JSON.stringify(upTo(length))) return t.fail(at, { list: found.list })
    if (length < (before[cut] ?? promised) || length > 21) return t.fail(`${at}: ${length} of ${before[cut]}`)
    for (const next of [1, 2]) await found.journal.append(next)
    const again = await openList(recordingDisk(left.image))
    if (again.list.length !== length + 2) return t.fail(`${at}: what came after the repair is lost`)
    cuts += 1
  }
  t.ok(cuts > 1_000, `${cuts} power cuts`)
})

/* ---- a ledger that answers when it is told to ---- */

type Asked = { readonly path: string, readonly body: Record<string, unknown> }
type Answers = (asked: Asked) => unknown

/** `answers` undefined: nobody answers until `answer` is called. */
function ledger (answers?: Answers) {
  const asked: Asked[] = []
  const waiting: ((answer: () => unknown) => void)[] = []
  const post: HttpClient['post'] = async (path, body, { signal } = {}) => {
    const one = { path, body: body as Asked['body'] }
    asked.push(one)
    if (answers !== undefined) return answers(one)
    const given = await new Promise<() => unknown>((resolve, reject) => {
      waiting.push(resolve)
      signal?.addEventListener('abort', () => reject(new Error('nobody waits any more')))
    })
    return given()
  }
  return {
    asked,
    http: { post },
    /** Of the oldest question; waits for it. */
    answer: async (given: () => unknown) => {
      while (waiting.length === 0) await turn()
      waiting.shift()?.(given)
    }
  }
}
const turn = () => new Promise(resolve => setImmediate(resolve))
const houseOn = (files: RecordingDisk, http: Pick<HttpClient, 'post'>): AskAndTell => ({
  http, files, clock, nowMs: () => performance.now(), random: () => 0.5,
  log: createLog('journal', { level: 'silent' }), journal
})

/* ---- the desk ---- */

const approved = (key: string) => ({
  key, kind: 'reversal', outcome: 'approved', reason: 'ok', replayed: false, amountFen: 100, balanceFen: 900,
  journal: '1', clearingDate: '2026-03-02'
})
const refused = () => { throw new HttpAnswerError('the ledger', 422, {}) }

t.test('what a desk took back is asked for until it is answered, and not after that', async t => {
  type State = { readonly asked: readonly string[], readonly refused: number }
  await atEveryByte<State>(t, {
    run: async (disk, now) => {
      const { http, answer } = ledger()
      const desk = await openDesk(houseOn(disk, http))
      const takeBack = async (name: string) => await desk.takeBack(
        { kind: 'reversal', key: `taken-${name}`, of: { key: `sale-no-${name}` } })
      now({ asked: [], refused: 0 })
      const a = await takeBack('a')
      now({ asked: ['taken-a'], refused: 0 })
      const b = await takeBack('b')
      now({ asked: ['taken-a', 'taken-b'], refused: 0 })
      const again = await takeBack('b')
      await answer(() => approved('taken-a'))
      t.match(await a.answered, { outcome: 'approved' })
      now({ asked: ['taken-b'], refused: 0 })
      await answer(refused)
      const both = await Promise.all([b.answered, again.answered])
      t.same(both.map(({ outcome }) => outcome), ['refused', 'refused'])
      now({ asked: [], refused: 1 })
      const keys: string[] = []
      for (const name of ['c', 'd', 'e', 'f']) {
        await takeBack(name)
        keys.push(`taken-${name}`)
        now({ asked: [...keys], refused: 1 })
      }
      await desk.close()
    },
    look: async disk => {
      const { http, asked } = ledger(({ body }) => approved(String(body['key'])))
      const desk = await openDesk(houseOn(disk, http))
      while (desk.view().open > 0) await turn()
      await desk.close()
      const later = await openDesk(houseOn(recordingDisk(disk.image), ledger().http))
      const { open, refused } = later.view()
      await later.close()
      if (open > 0) throw new Error(`${open} are asked for again after they were answered`)
      return { asked: asked.map(({ body }) => String(body['key'])), refused }
    }
  })
})

/* ---- loads ---- */

const loadOf = (no: number, step: Step, outcome: Outcome | null = null): Load => ({
  key: `GW1-load-${no}`, lane: 'L1', reference: `R-${no}`, card: cardOf(no), source: 'agent',
  amountFen: 2_000, balanceBeforeFen: 5_000, terminal: '990000000001', onlineCounter: 7,
  dateTime: step === 'asked' ? '' : '20260302081530', atMs: clock.now(), step, outcome
})
const written: Outcome = { outcome: 'written', tac: '01020304' }

t.test('loads: how far each one came, and whose card is expected back', async t => {
  type State = Partial<Record<Step, string>> & { readonly back: string }
  const steps = ['asked', 'sent', 'known', 'told'] as const
  await atEveryByte<State>(t, {
    run: async (disk, now) => {
      const book = await openLoadBook(disk, clock, journal)
      now({ back: '' })
      await book.put(loadOf(1, 'asked'))
      now({ asked: '1', back: '' })
      await book.put(loadOf(1, 'sent'))
      now({ sent: '1', back: '1' })
      await book.put(loadOf(2, 'asked'))
      now({ asked: '2', sent: '1', back: '1' })
      await book.drop('GW1-load-2')
      now({ sent: '1', back: '1' })
      await book.put(loadOf(3, 'asked'))
      now({ asked: '3', sent: '1', back: '1' })
      await book.put(loadOf(3, 'known', { outcome: 'withdrawn' }))
      now({ sent: '1', known: '3', back: '1' })
      await book.put(loadOf(4, 'sent'))
      now({ sent: '1 4', known: '3', back: '1 4' })
      await book.put(loadOf(1, 'known', written))
      now({ sent: '4', known: '1 3', back: '4' })
      await book.put(loadOf(3, 'told', { outcome: 'withdrawn' }))
      now({ sent: '4', known: '1', told: '3', back: '4' })
      await book.put(loadOf(1, 'told', written))
      now({ sent: '4', told: '1 3', back: '4' })
      await book.close()
    },
    look: async disk => {
      const book = await openLoadBook(disk, clock, journal)
      const numbers = (loads: readonly Load[]) => loads.map(({ key }) => key.slice(9)).sort().join(' ')
      const at = steps.map(step => [step, numbers(book.at(step))]).filter(([, found]) => found !== '')
      const back = [1, 2, 3, 4].flatMap(no => book.openOf(cardKey(cardOf(no))) ?? [])
      await book.close()
      return { ...Object.fromEntries(at), back: numbers(back) } as State
    }
  })
})

/* ---- blocks of cards ---- */

t.test('blocks of cards: open until the chip was heard, told until the ledger has heard', async t => {
  type State = { readonly open: string, readonly told: string }
  const signing =
    { operator: 'BUS', terminal: 'B1', form: 'temporary', keyVersion: 1, challenge: '01020304' } as const
  const numberOf = ({ serial }: CardRef): string => String(Number(serial.slice(-4)))
  const heard = ({ path, body }: Asked) => path.endsWith('/outcome')
    ? { key: body['key'], state: body['outcome'] }
    : { key: body['key'], reason: 'ok', mac: 'A1B2C3D4' }
  await atEveryByte<State>(t, {
    run: async (disk, now) => {
      const { http, answer } = ledger()
      let keys = 0
      const blocks = await openBlocks({ ...houseOn(disk, http), newKey: () => `GW1-block-${++keys}` })
      const send = async (no: number) => {
        const signed = blocks.sign({ card: cardOf(no), ...signing })
        await answer(() => ({ key: `GW1-block-${keys}`, reason: 'ok', mac: 'A1B2C3D4' }))
        const { block } = await signed as { block: Parameters<typeof blocks.send>[0] }
        await blocks.send(block)
      }
      const told = async (key: string, outcome: BlockOutcome['outcome']) => {
        await answer(() => ({ key, state: outcome }))
        while (blocks.view().untold > 0) await turn()
        for (let turns = 0; turns < 5; turns++) await turn() // counts at once, is on disk a moment later
      }
      now({ open: '', told: '' })
      await send(1)
      now({ open: '1', told: '' })
      await blocks.conclude(cardOf(1), 'blocked')
      now({ open: '', told: '1 blocked' })
      await told('GW1-block-1', 'blocked')
      now({ open: '', told: '' })
      await send(2)
      now({ open: '2', told: '' })
      await send(3)
      now({ open: '2 3', told: '' })
      await send(2)
      now({ open: '2 3', told: '' })
      await blocks.conclude(cardOf(3), 'refused')
      now({ open: '2', told: '3 refused' })
      await blocks.conclude(cardOf(2), 'blocked')
      now({ open: '', told: '2 blocked, 3 refused' })
      await blocks.close()
    },
    look: async disk => {
      const { http, asked } = ledger(heard)
      const blocks = await openBlocks({ ...houseOn(disk, http), newKey: () => 'GW1-block-new' })
      const open = [1, 2, 3].filter(no => blocks.isOpen(cardOf(no))).join(' ')
      while (blocks.view().untold > 0) await turn()
      await blocks.close()
      const told = asked.map(({ body }) => `${numberOf(body['card'] as CardRef)} ${String(body['outcome'])}`)
      return { open, told: told.sort().join(', ') }
    }
  })
})

/* ---- sessions of ISO 8583 ---- */

const key = (name: string) => ({ wrapped: name.repeat(16), check: name })
const item = (trace: string, code: string | null, reversed: string | null = null) => ({
  item: {
    trace, kind: 'purchase', digest: 'D', amountFen: 100, atMs: 1, code, clearingDate: '2026-03-02', reversed,
    uploaded: false
  }
}) as const
const held = { blacklist: 1, tariff: 1 }
const offered = (name: string, network = '003') => ({ offered: { ...key(name), network, keys: name, held } })
/** As it was written before keys waited for their first use. */
const signedIn = (name: string, batch: string) =>
  ({ signedIn: key(name), batch, held, session: 'signed_in' }) as const

/** What a terminal does, and how both stand then: session, batch, keys used and offered, answers. */
const session: readonly (readonly [terminal: string, change: Change, p1: string, p2: string])[] = [
  ['P1', offered('A'), 'signed_out 000000 -/A', 'signed_out 000000 -/-'],
  ['P1', { accepted: key('A').wrapped }, 'signed_in 000000 A/-', 'signed_out 000000 -/-'],
  ['P1', { batch: '000001' }, 'signed_in 000001 A/-', 'signed_out 000000 -/-'],
  ['P1', item('000007', null), 'signed_in 000001 A/- 7=?', 'signed_out 000000 -/-'],
  ['P2', signedIn('B', '000003'), 'signed_in 000001 A/- 7=?', 'signed_in 000003 -/B'],
  ['P1', item('000007', '00'), 'signed_in 000001 A/- 7=00', 'signed_in 000003 -/B'],
  ['P2', item('000001', '98'), 'signed_in 000001 A/- 7=00', 'signed_in 000003 -/B 1=98'],
  ['P1', item('000007', '00', '00'), 'signed_in 000001 A/- 7=00-00', 'signed_in 000003 -/B 1=98'],
  ['P1', offered('C'), 'signed_in 000001 A/C 7=00-00', 'signed_in 000003 -/B 1=98'],
  ['P1', offered('D', '001'), 'signed_in 000001 A/CD 7=00-00', 'signed_in 000003 -/B 1=98'],
  ['P1', { session: 'uploading' }, 'uploading 000001 A/CD 7=00-00', 'signed_in 000003 -/B 1=98'],
  ['P1', { settled: { batch: '000001', totals: '1' } }, 'signed_in 000001 A/CD settled 000001',
    'signed_in 000003 -/B 1=98'],
  ['P2', { batch: '000004' }, 'signed_in 000001 A/CD settled 000001', 'signed_in 000004 -/B'],
  ['P1', { session: 'signed_out' }, 'signed_out 000001 A/CD settled 000001', 'signed_in 000004 -/B'],
  ['P1', { accepted: key('D').wrapped }, 'signed_in 000001 D/- settled 000001', 'signed_in 000004 -/B']
]

function standing (book: Book, terminal: string): string {
  const { session, batch, current, pending, settled, items } = book.of(terminal)
  const told = [...items.values()].map(({ trace, code, reversed }) =>
    `${Number(trace)}=${code ?? '?'}${reversed === null ? '' : `-${reversed}`}`)
  const keys = `${current?.check ?? '-'}/${pending.map(one => one.check).join('') || '-'}`
  return [session, batch, keys, ...settled === null ? [] : [`settled ${settled.batch}`], ...told].join(' ')
}

t.test('sessions of ISO 8583: keys, batch and answers as they stood', async t => {
  await atEveryByte<readonly string[]>(t, {
    run: async (disk, now) => {
      const book = await openSessions(disk, clock, journal)
      now(['signed_out 000000 -/-', 'signed_out 000000 -/-'])
      for (const [terminal, change, p1, p2] of session) {
        await book.change(terminal, change)
        now([p1, p2])
      }
      await book.close()
    },
    look: async disk => {
      const book = await openSessions(disk, clock, journal)
      const found = ['P1', 'P2'].map(terminal => standing(book, terminal))
      await book.close()
      return found
    }
  })
})
