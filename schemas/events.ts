// What others are told of: topics, the shape of each one's data, the envelope, webhooks and their tellings.
// It refuses to know how an event travels.
import { Type, type Static, type TSchema } from 'typebox'
import { dayStates, Fen, Instant, LocalDate } from './api.ts'

import { TerminalEventName } from './terminals.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Count = Type.Integer({ minimum: 0 })
const Party = orNull(Type.String({ description: 'code of the party; null: of nobody known' }))
const Side = Type.Unsafe<'house' | 'registry'>(Type.String({
  enum: ['house', 'registry'], description: 'registry: it said so itself'
}))
const Sum = Type.Object({ count: Count, amountFen: Fen }, closed)

/** Topics by name: `says` in words, `data` as a schema. Names are part of the API. */
export const topics = {
  'records.booked': {
    says: 'records of one party were booked by one batch; the records are at GET /v1/records',
    data: Type.Object({
      delivery: Type.String(), clearingDate: LocalDate, party: Party, accepted: Sum, held: Sum, refused: Sum,
      excluded: Sum
    }, closed)
  },
  'records.adjusted': {
    says: 'verdicts on earlier records of a party changed: what its claim changes by',
    data: Type.Object({ clearingDate: LocalDate, party: Party, count: Count, amountFen: Fen }, closed)
  },
  'day.moved': {
    says: 'a clearing day reached its next state',
    data: Type.Object({
      date: LocalDate, state: Type.Unsafe<typeof dayStates[number]>(Type.String({ enum: [...dayStates] }))
    }, closed)
  },
  'statement.ready': {
    says: 'the statement of a party for a date can be fetched',
    data: Type.Object({ date: LocalDate, party: Type.String(), book: Type.String(), netFen: Fen }, closed)
  },
  'treasury.claimed': {
    says: 'the treasury is asked to pay what it owes for a period',
    data: Type.Object({
      claim: Type.Integer(), party: Type.String(), from: LocalDate, until: LocalDate, totalFen: Fen,
      digest: Type.String({ description: 'SHA-256 of the document, hex' })
    }, closed)
  },
  'blacklist.published': {
    says: 'a new version of the blacklist can be fetched',
    data: Type.Object({ version: Type.Integer() }, closed)
  },
  'card.blocked': {
    says: 'a listed card was blocked on its chip at a terminal of a party',
    data: Type.Object({
      card: Type.String({ description: 'masked' }), operator: Type.String(), terminal: Type.String(),
      form: Type.String(), listedFor: Type.String()
    }, closed)
  },
  'card.issued': {
    says: 'a blank chip has become a card that works',
    data: Type.Object({
      card: Type.String({ description: 'masked' }), type: Type.String(), batch: Type.String()
    }, closed)
  },
  'card.moved': {
    says: 'a card has another state: reported lost, found, locked, replaced, returned',
    data: Type.Object({
      card: Type.String({ description: 'masked' }), move: Type.String(), from: Type.String(),
      to: Type.String()
    }, closed)
  },
  'card.state': {
    says: 'a card of a person has another state: what a platform of identities goes by',
    data: Type.Object({
      card: Type.String({ description: 'its name, the same for as long as the card lives; no number' }),
      holder: orNull(Type.String({ description: 'token of the person; null: of nobody known' })),
      state: Type.String(), usable: Type.Boolean({ description: 'it may be used' }), at: Instant
    }, closed)
  },
  'social.card': {
    says: 'a card of social security went from one state to another: what its registry goes by',
    data: Type.Object({
      card: Type.String({ description: 'its name; GET /v1/social-security/cards says whose it is' }),
      holder: orNull(Type.String({ description: 'token of the person' })),
      move: Type.String(), from: Type.String(), to: Type.String(), by: Side,
      message: orNull(Type.String({ description: 'of the registry: it comes of this one' })), at: Instant
    }, closed)
  },
  'social.application': {
    says: 'an application for a card of social security is in another state: asked, made, handed over',
    data: Type.Object({
      application: Type.Integer(), holder: Type.String(), state: Type.String(),
      card: orNull(Type.String({ description: 'name of the card that it became' })), by: Side,
      message: orNull(Type.String()), at: Instant
    }, closed)
  },
  'card.found': {
    says: 'somebody found a card and brought it',
    data: Type.Object({
      card: Type.String({ description: 'masked' }), place: Type.String(),
      holder: orNull(Type.String({ description: 'token of whom to tell' }))
    }, closed)
  },
  'card.obeyed': {
    says: 'a chip did, or refused, what staff had ordered for it, at a terminal of a party',
    data: Type.Object({
      card: Type.String({ description: 'masked' }), order: Type.Integer(), name: Type.String(),
      outcome: Type.String({ description: 'obeyed or refused' }), operator: Type.String(),
      terminal: Type.String()
    }, closed)
  },
  'terminal.event': {
    says: 'something happened to a terminal of a party, or is over',
    data: Type.Object({
      operator: Type.String(), terminal: Type.String(), kind: TerminalEventName, cleared: Type.Boolean()
    }, closed)
  },
  'proposal.ended': {
    says: 'a proposal was carried out, refused, withdrawn, or went stale',
    data: Type.Object({ id: Type.Integer(), kind: Type.String(), state: Type.String() }, closed)
  },
  'alert.raised': {
    says: 'something that somebody must look at soon',
    data: Type.Object({
      id: Type.Integer(), kind: Type.String(), about: Type.String(), clearingDate: LocalDate,
      evidence: Type.Unknown()
    }, closed)
  }
} as const satisfies Record<string, { readonly says: string, readonly data: TSchema }>
export type Topic = keyof typeof topics
export type EventData<T extends Topic> = Static<typeof topics[T]['data']>

/** What platforms of the city may hear of: nothing of money. */
export const platformTopics = ['terminal.event', 'card.state'] as const satisfies readonly Topic[]

/** What a registry of social-security cards may hear of: cards of its own kind. */
export const socialTopics = ['social.card', 'social.application'] as const satisfies readonly Topic[]

export const TopicName = Type.Unsafe<Topic>(Type.String({ enum: Object.keys(topics) }))

/** The body of a webhook call, as the ledger signs it. */
export const Event = Type.Object({
  id: Type.String({ description: 'the same whenever it is told again; also in the header webhook-id' }),
  type: TopicName,
  timestamp: Instant,
  sequence: Type.Integer({ description: 'grows; of two events of one subject the higher one is the later' }),
  subject: Type.String({ description: 'what it is about' }),
  data: Type.Unknown()
}, { ...closed, $id: 'Event' })
export type Event = Static<typeof Event>

export const NewWebhook = Type.Object({
  url: Type.String({ maxLength: 500, description: 'https, without a name and password in it' }),
  topics: Type.Array(TopicName, { minItems: 1, maxItems: Object.keys(topics).length, uniqueItems: true })
}, { ...closed, $id: 'NewWebhook' })

export const WebhookView = Type.Object({
  id: Type.Integer(),
  owner: Type.String(),
  party: orNull(Type.String({ description: 'hears of this party only; null: of all' })),
  url: Type.String(),
  topics: Type.Array(TopicName),
  createdAt: Instant,
  waiting: Count,
  dead: Count
}, { ...closed, $id: 'WebhookView' })
export type WebhookView = Static<typeof WebhookView>

export const WebhookSecret = Type.Object({
  secret: Type.String({ description: 'whsec_ and 32 bytes in base64, as Standard Webhooks writes it' }),
  alsoUntil: orNull(Type.String({ description: 'until then the secret before this one signs, too' }))
}, { ...closed, $id: 'WebhookSecret' })

export const tellingStates = ['waiting', 'done', 'dead'] as const
export const TellingStateName = Type.Unsafe<typeof tellingStates[number]>(
  Type.String({ enum: [...tellingStates] }))

export const TellingView = Type.Object({
  id: Type.Integer(),
  event: Event,
  state: TellingStateName,
  tries: Count,
  dueAt: Instant,
  lastAnswer: orNull(Type.String({ description: 'what the last try met' })),
  endedAt: orNull(Instant)
}, { ...closed, $id: 'TellingView' })
export type TellingView = Static<typeof TellingView>
