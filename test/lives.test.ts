// Lives of cards: what is added up beforehand is whole for every seed, and a few lives are played on real
// readers.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { nodeCommand } from '../runtime/supervise.ts'
import { planLives } from '../terminal-sim/lives/plan.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'

t.setTimeout(300_000)

async function sim (...args: string[]): Promise<{ code: number, words: string }> {
  const program = join(import.meta.dirname, '../terminal-sim/lives/main.ts')
  const { command, args: all = [] } = nodeCommand(program, args)
  const child = spawn(command, all)
  t.teardown(() => child.kill('SIGTERM'))
  let words = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => { words += text })
  }
  const code = await new Promise<number>(resolve => child.on('close', code => { resolve(code ?? -1) }))
  return { code, words }
}

t.test('what is paid in is rode, paid out, kept or held', async t => {
  for (let seed = 1; seed <= 50; seed++) {
    const { totals } = planLives({ cards: 40, seed }, [])
    const { cashFen, bankFen, depositsFen, ridesFen, paidFen, keptFen, chipsFen, depositsLeftFen } = totals
    t.equal(cashFen + bankFen + depositsFen, ridesFen + paidFen + keptFen + chipsFen + depositsLeftFen,
      `seed ${seed}`)
    t.ok(Object.values(totals.fates).reduce((all, one) => all + one) === 40)
    t.equal(totals.made, 40 + totals.fates.broken + totals.fates.unreadable + totals.fates.lost)
  }
  const [one, again, other] = [1, 1, 2].map(seed => JSON.stringify(planLives({ cards: 9, seed }, [])))
  t.equal(one, again, 'a seed is the same lives again')
  t.not(one, other)
  t.throws(() => planLives({ cards: 1_000, seed: 1 }, []), { message: /240 at most/ })
})

t.test('what cannot be asked for is said', async t => {
  t.match(await sim('--cards', '0'), { code: 2, words: /--cards 0: a whole number from 1 to 240/ })
  t.match(await sim('--hurry'), { code: 2, words: /--hurry/ })
  t.match(await sim('--help'), { code: 0, words: /usage: npm run sim -- cards/ })
})

t.test('seven lives on real readers', { skip: whyNoFarm() ?? false }, async t => {
  const { code, words } = await sim('--cards', '7', '--seed', '3')
  t.equal(code, 0, words)
  t.match(words, /1 scenarios, 0 failed/)
  t.match(words, /^\d+ cards were made of blank chips: [1-9]\d* torn off the desk, [1-9]/m)
  t.match(words, /the ledger, the chips and the auditor say the same/)
})
