// Self-checks of libraries: where they stand, and one message with its answer over a connection of its own.
// It refuses to know what a scenario expects of the answer.
import { localDate, localTime } from '../../runtime/instants.ts'
import type { PortConfig } from '../../schemas/port.ts'
import {
  say, sipDate, valueOf, valuesOf, type Field, type Message, type Said
} from '../../schemas/sip2/message.ts'
import { connectSelfCheck, type SelfCheck } from '../self-check/self-check.ts'
import type { Edge } from './edge.ts'
import { StepError } from './verb.ts'
import { known, type LibraryFacts, type World } from './world.ts'

/** What became of a message: an answer, none, or the terminal was not even let in. */
export type DeskAnswer = {
  readonly desk: string
  /** To be said again; null where several were said. */
  readonly said: Said | null
  readonly answer: Message | 'none' | 'not signed in'
  /** Of a reader: what the standard has in lists of their own. */
  readonly lists: { readonly books: readonly string[], readonly fines: readonly string[] }
}

const passwordOf = (desk: string): string => `password of ${desk}`
const portOf = (library: string): string => `self-checks-${library}`
/** A ledger that died is waited for in vain; long enough for a busy machine. */
const answerSeconds = 5

/** One port for each library; its self-checks sign in there. */
export const portsOf = ({ selfChecks }: World): PortConfig[] =>
  [...new Set(selfChecks.values())].map(library => ({
    port: portOf(library),
    tcp: { port: 0 },
    speaks: {
      protocol: 'sip2', library, institution: library, name: library, answerSeconds,
      logins: [...selfChecks].filter(([, at]) => at === library)
        .map(([desk]) => ({ user: desk, password: passwordOf(desk), terminal: desk }))
    }
  }))

/** `lost`: the gateway answers, and nobody hears it. */
export async function sayAt (
  world: World, desk: string, said: Said, { lost = false }: { lost?: boolean | undefined } = {}
): Promise<DeskAnswer> {
  return await atDesk(world, desk, said, async selfCheck => {
    const answer = await selfCheck.say(said)
    return { answer: lost ? 'none' : answer, lists: noLists }
  })
}

/** Status, books and fines: three questions of the standard, one for each list. */
export async function lookUpAt (world: World, desk: string, card: string): Promise<DeskAnswer> {
  return await atDesk(world, desk, null, async selfCheck => {
    const ask = async (list: string) => await selfCheck.say(say('63',
      { language: '019', date: dateOf(world), summary: list }, readerFields(world, desk, card)))
    const charged = await ask('  Y       ')
    const fines = await ask('   Y      ')
    return { answer: fines, lists: { books: valuesOf(charged, 'AU'), fines: valuesOf(fines, 'AV') } }
  })
}

/** The fee of a book, as the self-check shows it: the standard's fine items, ours begin with it. */
export async function feeAt (world: World, desk: string, card: string, book: string): Promise<string> {
  const title = titleOf(world, desk, book)
  const { lists: { fines } } = await lookUpAt(world, desk, card)
  const [fee] = fines.find(one => one.endsWith(` ${title}`))?.split(' ') ?? []
  if (fee !== undefined) return fee
  throw new StepError(`card ${card} owes nothing for ${book}`, fines.join(', '))
}

export const titleOf = (world: World, desk: string, book: string): string =>
  known(libraryAt(world, desk).books, 'book', book)

const noLists: DeskAnswer['lists'] = { books: [], fines: [] }

async function atDesk (
  world: World, desk: string, said: Said | null,
  deed: (selfCheck: SelfCheck) => Promise<Pick<DeskAnswer, 'answer' | 'lists'>>
): Promise<DeskAnswer> {
  const edge = edgeOf(world)
  libraryAt(world, desk)
  await edge.follow()
  const port = await edge.tcpPort(portOf(known(world.selfChecks, 'self-check', desk)))
  const selfCheck = await connectSelfCheck(port)
  try {
    const login = say('93', { uidAlgorithm: '0', pwdAlgorithm: '0' },
      [['CN', desk], ['CO', passwordOf(desk)], ['CP', '']])
    if ((await selfCheck.say(login)).fixed['ok'] !== '1') {
      return { desk, said, answer: 'not signed in', lists: noLists }
    }
    return { desk, said, ...await deed(selfCheck) }
  } finally {
    selfCheck.close()
  }
}

function edgeOf ({ edge }: World): Edge {
  if (edge !== null) return edge
  throw new StepError('no gateway runs', 'given self_checks: { LIB-1: LIB }')
}

const libraryAt = (world: World, desk: string): LibraryFacts =>
  known(world.libraries, 'library', known(world.selfChecks, 'self-check', desk))

/** What a self-check says of whoever stands before it. */
export const readerFields = (world: World, desk: string, card: string): Field[] => [
  ['AO', known(world.selfChecks, 'self-check', desk)], ['AA', tokenOf(world, card)], ['AC', ''], ['AD', '']]

export const tokenOf = (world: World, card: string): string => known(world.chips, 'card', card).ref.serial

export const dateOf = ({ now }: World): string =>
  sipDate(localDate(now).replaceAll('-', '') + localTime(now).replaceAll(':', ''))

/** Whether an answer is a yes: each message of the standard says it at its own place. */
export function isYes (message: Message): boolean {
  const { ok, accepted } = message.fixed
  if (ok !== undefined) return ok === '1'
  return accepted === undefined ? valueOf(message, 'BL') === 'Y' : accepted === 'Y'
}
