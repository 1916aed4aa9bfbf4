// then: what a terminal was told of the blacklist, and who bears what was paid with listed cards.
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import type { BlacklistReply, LiabilityLine } from '../../../schemas/api.ts'
import { cardKey, type CardRef } from '../../../schemas/record.ts'
import { day, name, oneOf, showYuan, whole, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { known, type World } from '../world.ts'
import { plain } from './balances.ts'

const closed = { additionalProperties: false } as const
const cardList = Type.Array(name('a card'), { description: 'cards' })

export const blacklist = thenVerb({
  says: 'the answer a terminal got: a full list or an increment, between which versions, with its digest',
  example:
    'blacklist: { answer: increment, full: false, from: 55, to: 57, add: [B], remove: [C], list: [B] }',
  schema: Type.Object(
    {
      answer: name('the name the answer was given'),
      full: Type.Optional(yes('true: a full list')),
      from: Type.Optional(whole()),
      to: Type.Optional(whole()),
      add: Type.Optional(cardList),
      remove: Type.Optional(cardList),
      list: Type.Optional(
        Type.Array(name('a card'), { description: 'the whole list at that version; its digest is compared' })
      )
    },
    closed
  ),
  check: async (world, said) => {
    const reply = known(world.answers, 'answer', said.answer) as BlacklistReply
    const what = `blacklist answer ${said.answer}`
    return [
      ...plain(`${what} is full`, said.full, reply.from === null),
      ...plain(`${what} from`, said.from, reply.from ?? ('nothing' as never)),
      ...plain(`${what} to`, said.to, reply.to),
      ...(said.add === undefined
        ? []
        : compare(
            `${what} adds`,
            names(said.add),
            cardNames(
              world,
              reply.add.map(one => one.card)
            )
        )),
      ...(said.remove === undefined
        ? []
        : compare(`${what} removes`, names(said.remove), cardNames(world, reply.remove))),
      ...(said.list === undefined ? [] : compare(`${what} digest`, digest(world, said.list), reply.digest))
    ]
  }
})

export const liability = thenVerb({
  says: 'who bears each debit of a listed card, all of them; applied: the version the terminal had',
  example:
    'liability: { day: D, lines: [{ card: B, terminal: BUS-1, amount: 1.80, liable: issuer, applied: 55 }] }',
  schema: Type.Object(
    {
      day: day(),
      lines: Type.Array(
        Type.Object(
          {
            card: name('a card'),
            terminal: name('a terminal'),
            amount: yuan(),
            liable: oneOf(['issuer', 'operator'], 'who bears it'),
            listed: Type.Optional(whole('version that listed it')),
            applied: Type.Optional(whole('version the terminal had applied'))
          },
          closed
        ),
        { description: 'liability lines' }
      )
    },
    closed
  ),
  check: async (world, said) => {
    const items = await world.api.all<LiabilityLine>(`/v1/blacklist/liability?date=${said.day}`)
    const found = items.map(line => ({
      card: cardName(world, line.card),
      terminal: line.terminal,
      amount: showYuan(Number(line.amountFen)),
      liable: line.liable as string,
      listed: line.listedVersion,
      applied: line.terminalVersion
    }))
    const rest = [...found]
    const misses = said.lines.flatMap(wanted => {
      const at = rest.findIndex(
        line =>
          line.card === wanted.card &&
          line.terminal === wanted.terminal &&
          line.amount === showYuan(wanted.amount)
      )
      const [line] = at < 0 ? [] : rest.splice(at, 1)
      const what = `liability for ${wanted.card} at ${wanted.terminal}`
      if (line === undefined) {
        return [{ what, expected: `${showYuan(wanted.amount)} ${wanted.liable}`, found: 'no such line' }]
      }
      return [
        ...compare(what, wanted.liable, line.liable),
        ...plain(`${what} listed in version`, wanted.listed, line.listed),
        ...plain(`${what} version applied`, wanted.applied, line.applied ?? ('none' as never))
      ]
    })
    return [
      ...misses,
      ...rest.map(line => ({
        what: `liability for ${line.card} at ${line.terminal}`,
        expected: 'no such line',
        found: `${line.amount} ${line.liable}`
      }))
    ]
  }
})

const names = (cards: readonly string[]): string => [...cards].sort().join(', ')
const cardNames = (world: World, refs: readonly CardRef[]): string =>
  names(refs.map(ref => cardName(world, ref)))

const cardName = (world: World, ref: CardRef): string =>
  [...world.chips.values()].find(chip => cardKey(chip.ref) === cardKey(ref))?.name ?? cardKey(ref)

/** SHA-256 over the sorted card keys, joined by LF. */
const digest = (world: World, cards: readonly string[]): string =>
  createHash('sha256')
    .update(
      cards
        .map(card => cardKey(known(world.chips, 'card', card).ref))
        .sort()
        .join('\n')
    )
    .digest('hex')
    .toUpperCase()
