// Blocks of listed cards between a lane and the ledger: signed there, on disk before the chip hears of it,
// told until the ledger has heard what the chip did. It refuses to know chips and readers.
import { killPoint } from '../../runtime/kill-point.ts'
import { maskCard } from '../../runtime/log.ts'
import {
  type BlockForm, type BlockOutcome, BlockOutcomeReply, type BlockReason, BlockReply, type NewBlock
} from '../../schemas/card-block.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import { askUntil } from '../asking.ts'
import { openJournal } from '../spool/journal.ts'
import { type AskAndTell, keepTelling } from '../telling.ts'

export type Blocks = {
  /** The MAC that the chip wants with this challenge; nothing has happened yet. */
  sign (wish: Omit<NewBlock, 'key'>): Promise<Signed | { readonly why: BlockReason | 'unanswered' }>
  /** Resolves when it is on disk: the command may leave. */
  send (block: Block): Promise<void>
  /** Resolves when it is on disk: it will be told. */
  conclude (card: CardRef, outcome: BlockOutcome['outcome']): Promise<void>
  /** Whether it is not known what became of a block of this card. */
  isOpen (card: CardRef): boolean
  view (): { readonly open: number, readonly untold: number }
  close (): Promise<void>
}

export type Block = { readonly key: string, readonly card: CardRef, readonly form: BlockForm }
export type Signed = { readonly block: Block, readonly mac: string }

export type BlocksOptions = AskAndTell & { readonly newKey: () => string }

type Kept = Block & { readonly outcome: BlockOutcome['outcome'] | null }
/** What lies on disk: the block of a card as it stands, or that the ledger has heard of it. */
type Entry = { readonly block: Kept } | { readonly told: string }

const limits = { signMs: 3_000, tellMs: 10_000, retryMs: 100, backoffMs: 250, backoffMaxMs: 15_000 } as const

export async function openBlocks (options: BlocksOptions): Promise<Blocks> {
  const { http, files, clock, nowMs, random, newKey, log } = options
  const { retryMs } = limits
  /** One for each card: a second command of a card that was not seen to obey replaces the first. */
  const blocks = new Map<string, Kept>()
  const journal = await openJournal<Entry>({
    files,
    clock,
    limits: options.journal ?? {},
    onFailure: options.onFailure,
    apply: entry => {
      if ('told' in entry) blocks.delete(entry.told)
      else blocks.set(cardKey(entry.block.card), entry.block)
    },
    snapshot: () => [...blocks.values()].map(block => ({ block }))
  })
  const untold = () => [...blocks.values()].filter(block => block.outcome !== null)

  async function sign (wish: Omit<NewBlock, 'key'>): ReturnType<Blocks['sign']> {
    const block: Block = { key: newKey(), card: wish.card, form: wish.form }
    const answer = await askUntil({
      http, path: '/v1/card-blocks', body: { key: block.key, ...wish }, schema: BlockReply, nowMs, retryMs,
      deadlineMs: limits.signMs
    })
    if (answer.outcome !== 'replied') return { why: 'unanswered' }
    const { mac, reason } = answer.reply
    return mac === null ? { why: reason } : { block, mac }
  }

  async function conclude (card: CardRef, outcome: BlockOutcome['outcome']): Promise<void> {
    const block = blocks.get(cardKey(card))
    if (block === undefined || block.outcome !== null) return
    await journal.append({ block: { ...block, outcome } })
    log.warn({ card: maskCard(cardKey(card)), outcome }, 'a listed card was told to block itself')
    telling.wake()
  }

  /** Null when the ledger has heard it, or will never take it. */
  async function tell ({ key, card, outcome }: Kept, over: AbortSignal): Promise<string | null> {
    const asked = await askUntil({
      http, path: '/v1/card-blocks/outcome', body: { key, card, outcome }, schema: BlockOutcomeReply, nowMs,
      retryMs, over, deadlineMs: limits.tellMs
    })
    if (asked.outcome === 'unknown') return asked.why
    if (asked.outcome === 'refused') {
      if (asked.status !== 404) return asked.why
      log.error({ alarm: 'block_unknown', block: key, why: asked.why }, 'the ledger does not know of a block')
    }
    await journal.append({ told: cardKey(card) })
    return null
  }

  const telling = keepTelling({
    what: 'the block of a card', next: () => untold()[0], waiting: () => untold().length, tell, ...limits,
    random, log
  })
  return {
    sign,
    send: async block => {
      await journal.append({ block: { ...block, outcome: null } })
      killPoint('block-after-intent')
    },
    conclude,
    isOpen: card => blocks.get(cardKey(card))?.outcome === null,
    view: () => ({ open: blocks.size - untold().length, untold: untold().length }),
    close: async () => {
      await telling.stop()
      await journal.close()
    }
  }
}
