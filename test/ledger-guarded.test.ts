// What a guarded balance allows, in the words of the trade: floors and ceilings, the net of a batch, the
// ordered pass, journals that go whole or not at all, and reversals that give back what was split.
import t, { type Test } from 'tap'
import { createRandom } from '../terminal-sim/random.ts'
import { headingRow, headings, type Heading } from '../ledger/core/chart.ts'
import { decideGuarded, type Effect, type Guarded } from '../ledger/core/guarded.ts'
import { remainingFen, reversalOf, type StandingTransfer } from '../ledger/core/journal.ts'

/**
 * Runs a table. `purse A 150` opens a balance (`to 500` sets a ceiling, `closed` closes it); `A -50, B +50`
 * is a journal with what it must answer behind the arrow; `left A 100` is what must be left. Journals of one
 * table are one batch.
 */
function check (t: Test, title: string, table: string): void {
  const names: string[] = []
  const balances: (Guarded | null)[] = []
  const place = (name: string): number => {
    if (!names.includes(name)) {
      names.push(name)
      balances.push(null)
    }
    return names.indexOf(name)
  }
  const journals: { effects: Effect[], expected: string }[] = []
  const left: [string, bigint][] = []
  for (const line of table.split('\n').map(line => line.trim()).filter(Boolean)) {
    const [, name, balance, ceiling, closed] = /^purse (\w+) (-?\d+)(?: to (\d+))?( closed)?$/.exec(line) ?? []
    const [, kept, rest] = /^left (\w+) (-?\d+)$/.exec(line) ?? []
    if (name !== undefined) {
      balances[place(name)] = {
        balanceFen: BigInt(balance ?? 0), floorFen: 0n, closed: closed !== undefined,
        ceilingFen: ceiling === undefined ? null : BigInt(ceiling)
      }
    } else if (kept !== undefined) {
      left.push([kept, BigInt(rest ?? 0)])
    } else {
      const [said = '', expected = ''] = line.split('->').map(part => part.trim())
      const effects = said.split(',').map(one => one.trim().split(' '))
        .map(([name = '', fen = '']) => ({ at: place(name), fen: BigInt(fen.replace('+', '')) }))
      journals.push({ effects, expected })
    }
  }
  const decision = decideGuarded(journals.map(journal => journal.effects), balances)
  const answers = decision.breaches.map(breach =>
    breach === null ? 'ok' : `${breach.why} ${names[breach.at]}`)
  t.strictSame(answers, journals.map(journal => journal.expected), title)
  for (const [name, fen] of left) t.equal(decision.afterFen[place(name)], fen, `${title}: left in ${name}`)
}

t.test('floors and ceilings', async t => {
  check(t, 'to the last fen', `
    purse A 150
    A -150 -> ok
    left A 0`)
  check(t, 'one fen too much', `
    purse A 150
    A -151 -> floor A
    left A 150`)
  check(t, 'up to the limit, and not beyond it', `
    purse A 400 to 500
    purse B 400 to 500
    A +100 -> ok
    B +101 -> ceiling B`)
  check(t, 'a balance above a limit that was lowered may still be spent', `
    purse A 600 to 500
    A -50 -> ok
    left A 550`)
  check(t, 'nobody opened it; somebody closed it', `
    purse B 100 closed
    A -10 -> unknown A
    B -10 -> closed B`)
})

t.test('the net of a batch decides first, the order only where the net does not hold', async t => {
  check(t, 'spent before it came in, but in one batch', `
    purse A 0
    A -100 -> ok
    A +100 -> ok
    left A 0`)
  check(t, 'the net breaks: in order, each against what is left', `
    purse A 100
    A -60 -> ok
    A -60 -> floor A
    A -40 -> ok
    A -1 -> floor A
    A +5 -> ok
    left A 5`)
  check(t, 'one poor account costs nobody else anything', `
    purse A 10
    purse B 1000
    purse C 0
    B -300 -> ok
    A -20 -> floor A
    B -300 -> ok
    C +1 -> ok
    B -400 -> ok
    left A 10
    left B 0`)
})

t.test('journals go whole or not at all', async t => {
  check(t, 'both sides stay where they are', `
    purse A 50
    purse B 0
    A -60, B +60 -> floor A
    A -50, B +50 -> ok
    left A 0
    left B 50`)
  check(t, 'what a doubtful journal would bring is not counted on', `
    purse A 0
    purse B 0
    B -10 -> floor B
    A -10, B +10 -> floor A
    left B 0`)
  check(t, 'what a doubtful journal would take is', `
    purse A 0
    purse B 10
    A +5, B -10 -> ok
    B -5 -> floor B
    A -9 -> floor A
    left A 5
    left B 0`)
  check(t, 'inside a journal there is no order', `
    purse A 0
    A -10, A +10 -> ok`)
})

t.test('any batch: no balance leaves its limits, and what is refused helps nobody', async t => {
  for (let seed = 0; seed < 400; seed++) {
    const random = createRandom(seed)
    const balances = Array.from({ length: 4 }, (): Guarded => ({
      balanceFen: BigInt(random.int(0, 30)), floorFen: 0n, ceilingFen: random.int(0, 1) === 0 ? null : 40n,
      closed: false
    }))
    const journals = Array.from({ length: 12 }, () => Array.from({ length: random.int(1, 3) }, () =>
      ({ at: random.int(0, 3), fen: BigInt(random.int(-15, 15)) })))
    const { breaches, afterFen } = decideGuarded(journals, balances)
    // By another route: what went through, added up from the beginning.
    const sums = balances.map(balance => balance.balanceFen)
    journals.forEach((journal, index) => {
      if (breaches[index] === null) for (const { at, fen } of journal) sums[at] = (sums[at] ?? 0n) + fen
    })
    t.strictSame(afterFen, sums, `seed ${seed}`)
    for (const [at, fen] of sums.entries()) {
      t.ok(fen >= 0n && fen <= (balances[at]?.ceilingFen ?? fen), `seed ${seed}: balance ${at} at ${fen}`)
    }
    if (breaches.every(breach => breach !== null)) continue
    const alone = journals.filter((_, index) => breaches[index] === null)
    t.ok(decideGuarded(alone, balances).breaches.every(breach => breach === null),
      `seed ${seed}: what went through goes through without the others`)
  }
})

/* ---- reversals ---- */

/** A journey of 21.8 km over three operators: 3.03, 1.81 and 0.16 of 5.00. */
const journey: readonly StandingTransfer[] = [303n, 181n, 16n].map((amountFen, place) => ({
  transferId: BigInt(100 + place), bucket: 5, book: 'commerce', code: 20, debit: 1, credit: 10 + place,
  amountFen, cardId: 7n, reversedFen: 0n
}))
function taken (
  journal: readonly StandingTransfer[], amountFen: bigint | null
): readonly StandingTransfer[] {
  const parts = new Map(reversalOf(journal, amountFen)?.map(part => [part.corrects, part.amountFen]))
  return journal.map(one => ({ ...one, reversedFen: one.reversedFen + (parts.get(one.transferId) ?? 0n) }))
}

t.test('a reversal is the exact negative of the stored split and names it', async t => {
  t.strictSame(reversalOf(journey, null)?.map(one => [one.debit, one.credit, one.amountFen, one.corrects]),
    [[10, 1, 303n, 100n], [11, 1, 181n, 101n], [12, 1, 16n, 102n]])
  t.equal(reversalOf(taken(journey, null), null), null, 'nothing remains')
})

t.test('parts never exceed what remains, and the last gives back the rest', async t => {
  t.strictSame(reversalOf(journey, 300n)?.map(one => one.amountFen), [182n, 109n, 9n],
    '300 of 500: 181.8, 108.6 and 9.6; the largest remainder first, of equal ones the earlier')
  t.equal(reversalOf(journey, 501n), null)
  t.equal(reversalOf(journey, 0n), null)
  const once = taken(journey, 300n)
  t.equal(remainingFen(once), 200n)
  t.equal(reversalOf(once, 201n), null, 'a second refund of 3.00 would be more than the 2.00 left')
  t.strictSame(taken(once, 200n).map(one => one.amountFen - one.reversedFen), [0n, 0n, 0n])
  for (let seed = 0; seed < 200; seed++) {
    const random = createRandom(seed)
    let journal = journey
    while (remainingFen(journal) > 0n) {
      journal = taken(journal, BigInt(random.int(1, Number(remainingFen(journal)))))
      t.ok(journal.every(one => one.reversedFen >= 0n && one.reversedFen <= one.amountFen), `seed ${seed}`)
    }
  }
})

t.test('every guarded heading has a floor, and no recorded one', async t => {
  for (const heading of Object.keys(headings) as Heading[]) {
    const { mode, floorFen } = headingRow(heading)
    t.equal(floorFen !== null, mode === 'guarded', heading)
  }
})
