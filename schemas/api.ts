// The JSON messages of the ledger's public API: one schema gives type, validation and OpenAPI.
// It refuses to know routes, storage and who calls.
import { Type, type Static, type TSchema } from 'typebox'
import { limits } from './limits.ts'
import { CardRef, TransactionRecord } from './record.ts'
import { outcomeNumbers, verdictReasons } from './reasons.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

export const LocalDate = Type.String({
  format: 'date', pattern: '^\\d{4}-\\d{2}-\\d{2}$',
  description: 'YYYY-MM-DD, Asia/Shanghai'
})
const clockTime = '([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,3})?'
export const Instant = Type.String({
  format: 'date-time',
  pattern: `^\\d{4}-\\d{2}-\\d{2}T${clockTime}(Z|[+-](0\\d|1[0-8]):[0-5]\\d)$`,
  description: 'ISO 8601 with offset'
})
export const Fen = Type.Integer({
  minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER,
  description: 'whole fen, signed'
})
const PartyCode = Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
const TerminalCode = Type.String({ pattern: '^[A-Z0-9-]{1,8}$' })
const Hex = (bytes: number) => Type.String({ pattern: `^[0-9A-F]{${bytes * 2}}$` })
const Branch = Type.String({
  pattern: '^[0-9A-Z-]{1,15}$', description: 'the branch it belongs to; everybody\'s when absent'
})
const PpmRate = Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'parts per million' })

/* ---- proof ---- */

/**
 * Signed head of the tree of batch roots (RFC 6962 tree hash; Ed25519 signature over `canonicalHead`) and of
 * the audit log, which has a signature of its own: whoever knows the tree's alone still checks that one.
 */
export const SignedHead = Type.Object({
  size: Type.Integer({ minimum: 0, description: 'number of sealed batches' }),
  root: Hex(32),
  at: Instant,
  keyId: Hex(4),
  signature: Hex(64),
  audit: Type.Optional(Type.Object({
    rows: Type.Integer({ minimum: 0, description: 'rows of the audit log' }),
    hash: Hex(32),
    signature: Hex(64)
  }, { ...closed, description: 'where the audit log stood; the signature is over canonicalAuditHead' }))
}, { ...closed, $id: 'SignedHead' })
export type SignedHead = Static<typeof SignedHead>
export type AuditHead = NonNullable<SignedHead['audit']>

/** The bytes that are signed: ASCII, one line each, LF ends. Golden bytes: do not change. */
export const canonicalHead = (head: Omit<SignedHead, 'signature'>): Buffer =>
  Buffer.from(`citizen-card-head v1\n${head.size}\n${head.root}\n${head.at}\n${head.keyId}\n`, 'ascii')

/** What binds the audit log to a head: its signature covers the tree as well. Golden bytes. */
export const canonicalAuditHead = (
  head: Omit<SignedHead, 'signature' | 'audit'>, { rows, hash }: Omit<AuditHead, 'signature'>
): Buffer => Buffer.from(
  `citizen-card-audit v1\n${rows}\n${hash}\n${head.size}\n${head.root}\n${head.at}\n${head.keyId}\n`, 'ascii')

/* ---- records ---- */

/**
 * What the uplink of a gateway brings. The records are validated one by one: a malformed one is refused
 * alone.
 */
export const RecordDelivery = Type.Object({
  delivery: Type.String({
    pattern: '^[0-9a-zA-Z._:-]{8,64}$',
    description: 'unique id, the same on every retry'
  }),
  records: Type.Array(Type.Unknown(),
    { minItems: 1, maxItems: limits.recordsPerDeliveryMax, description: 'TransactionRecord each' })
}, { ...closed, $id: 'RecordDelivery' })
export type RecordDelivery = { delivery: string, records: TransactionRecord[] }

const OutcomeName = literals(Object.keys(outcomeNumbers) as (keyof typeof outcomeNumbers)[])
const ReasonName = literals(Object.keys(verdictReasons) as (keyof typeof verdictReasons)[])

export const RecordResult = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'place in the delivery, from 0' }),
  outcome: OutcomeName,
  reason: ReasonName,
  replayed: Type.Boolean({ description: 'true: answered before, this is the first answer again' }),
  detail: Type.Optional(Type.String({ description: 'what is wrong and where, for malformed records' }))
}, { ...closed, $id: 'RecordResult' })
export type RecordResult = Static<typeof RecordResult>

export const DeliveryReply = Type.Object({
  delivery: Type.String(),
  replayed: Type.Boolean(),
  clearingDate: LocalDate,
  results: Type.Array(RecordResult),
  head: orNull(SignedHead)
}, { ...closed, $id: 'DeliveryReply' })
export type DeliveryReply = Static<typeof DeliveryReply>

/* ---- registry: who and what takes part; an idempotent upsert of any part ---- */

export const Party = Type.Object({
  code: PartyCode,
  kind: literals(['issuer', 'operator', 'agent', 'centre', 'bureau', 'bank', 'treasury']),
  nameZh: Type.String({ maxLength: 80 }),
  nameEn: Type.String({ maxLength: 80 }),
  merchant: Type.Optional(Type.String({
    pattern: '^\\d{15}$',
    description: 'merchant number in clearing files'
  })),
  industry: Type.Optional(Type.String({
    pattern: '^\\d{2}$',
    description: 'industry code in clearing files'
  })),
  service: Type.Optional(literals(['transit', 'clinic', 'library', 'retail'])),
  counterConvention: Type.Optional(literals(['committed', 'init'],
    'which counter the files of this operator carry')),
  settleFromFen: Type.Optional(Type.Integer({ minimum: 0, description: 'smaller nets carry over' })),
  prepaid: Type.Optional(Type.Boolean({ description: 'an agent that pays in before it sells' })),
  branch: Type.Optional(Branch),
  wireCodes: Type.Optional(Type.Record(Type.String(), Type.String({ pattern: '^\\d{2}$' }), {
    description: 'codes of its own in SS files, by reason: 05 is overdue here and account short elsewhere'
  }))
}, { ...closed, $id: 'Party' })
export type Party = Static<typeof Party>

export const PartyTerms = Type.Object({
  party: PartyCode,
  ...Type.Required(Type.Pick(Party,
    ['counterConvention', 'settleFromFen', 'prepaid', 'wireCodes'])).properties
}, { ...closed, $id: 'PartyTerms', description: 'what changes with a second person only' })
export type PartyTerms = Static<typeof PartyTerms>

const ProductName = Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' })
/** `debit` and `load` are always there; a finer one takes the transfers with its codes out of its base. */
export const Product = Type.Object({
  product: ProductName,
  base: literals(['debit', 'load']),
  codes: Type.Array(Type.String({ description: 'kind of transfer, such as issuer_risk' }), { minItems: 1 })
}, { ...closed, $id: 'Product' })
export type Product = Static<typeof Product>

export const Commission = Type.Object({
  party: PartyCode,
  product: ProductName,
  ratePpm: PpmRate,
  from: LocalDate
}, { ...closed, $id: 'Commission' })
export type Commission = Static<typeof Commission>

/**
 * The nearest counts: a terminal's own before its operator's before everybody's, of those the newest. What
 * chips paid offline is never refused for a limit, it is found.
 */
export const UsageLimit = Type.Object({
  of: Type.Unsafe<'purchase' | 'load' | 'debit'>(Type.String({
    enum: ['purchase', 'load', 'debit'],
    description: 'purchases from online accounts, money taken in by top-up or load, debits of chips'
  })),
  per: Type.Unsafe<'card_day' | 'terminal_once' | 'terminal_day'>(Type.String({
    enum: ['card_day', 'terminal_once', 'terminal_day'],
    description: 'of one card on one day; of one terminal at once, or on one day'
  })),
  operator: orNull({ ...PartyCode, description: 'at whose terminals; null: everybody' } as typeof PartyCode),
  terminal: orNull(Type.String({
    pattern: '^[A-Z0-9-]{1,12}$', description: 'this one, as its requests name it; null: each of them'
  })),
  from: LocalDate,
  fenMax: orNull(Type.Integer({ minimum: 0, description: 'null: without limit from then on' }))
}, { ...closed, $id: 'UsageLimit' })
export type UsageLimit = Static<typeof UsageLimit>

export const BankAccount = Type.Object({
  party: PartyCode,
  book: Type.Optional(Type.String({
    pattern: '^[a-z]{1,12}$', description: 'for this book only; for all of them when absent'
  })),
  number: Type.String({ pattern: '^[0-9A-Z-]{5,34}$', description: 'account number' }),
  holder: Type.String({ minLength: 1, maxLength: 70, description: 'its name, as the bank knows it' }),
  bankCode: Type.String({ pattern: '^\\d{12}$', description: 'CNAPS number of the branch' })
}, {
  ...closed, $id: 'BankAccount',
  description: 'the first account of a party; a change is a proposal of kind bank_account'
})
export type BankAccount = Static<typeof BankAccount>

export const Terminal = Type.Object({
  terminal: TerminalCode,
  operator: PartyCode,
  name: Type.Optional(Type.String({ maxLength: 80 })),
  reachable: Type.Optional(Type.Boolean({
    description: 'false: cut off, its blacklist window does not run out'
  }))
}, { ...closed, $id: 'Terminal' })
export type Terminal = Static<typeof Terminal>

export const Psam = Type.Object({
  psam: Hex(6),
  issue: Type.Integer({ minimum: 1, maximum: 255 }),
  terminal: orNull(TerminalCode),
  operator: Type.Optional({
    ...PartyCode, description: 'of the terminal; where several operators have a terminal of that number'
  } as typeof PartyCode),
  from: Instant,
  to: orNull(Instant),
  stolenAt: orNull(Instant),
  test: Type.Boolean()
}, { ...closed, $id: 'Psam', description: 'one PSAM and where it was bound from when to when' })
export type Psam = Static<typeof Psam>

export const Card = Type.Object({
  card: CardRef,
  profile: literals(['pboc', 'cjt166', 'cjt166-auth', 't-union']),
  type: literals(['anonymous', 'named', 'student', 'senior', 'staff', 'test', 'social-security']),
  suite: literals(['3des', 'sm4']),
  keyVersion: Type.Integer({ minimum: 0, maximum: 255 }),
  cityFactor: orNull(Hex(8)),
  /** State of the purse when the card joins: what the chip holds, and the offline counter last committed. */
  balanceFen: Fen,
  counter: Type.Integer({ minimum: 0, maximum: limits.counterMax }),
  /**
   * Sold by an agent: deposit and first load are booked (receivable-agent / deposit, purse). Otherwise the
   * opening balance comes from `opening`.
   */
  soldBy: orNull(PartyCode),
  depositFen: Type.Integer({ minimum: 0 }),
  branch: Type.Optional(Branch),
  validUntil: Type.Optional({
    ...LocalDate, description: 'the last day on which terminals take its chip, as file 0015 says'
  } as typeof LocalDate)
}, { ...closed, $id: 'Card' })
export type Card = Static<typeof Card>

const workingDays = (description: string) =>
  Type.Integer({ minimum: 1, maximum: 366, description: `working days ${description}` })
const WorkingDays = workingDays('it takes at most')

const points = (description: string) => Type.Integer({ minimum: 0, maximum: 100, description })

export const Policies = Type.Object({
  lateDays: Type.Integer({ minimum: 0, maximum: 3_650 }),
  blacklistWindowHours: Type.Integer({ minimum: 0, maximum: 24 * 60 }),
  clockToleranceMinutes: Type.Integer({ minimum: 0, maximum: 24 * 60 }),
  debitFenMax: Type.Integer({ minimum: 1 }),
  overdraftFenMax: Type.Integer({ minimum: 0 }),
  greyDays: Type.Integer({ minimum: 1, maximum: 3_650, description: 'a grey record may expire after' }),
  topDebitFen: Type.Integer({ minimum: 1, description: 'a debit from here on is of top value' }),
  topDebitsPerHourMax: Type.Integer({ minimum: 1, description: 'more at one terminal: held for fraud' }),
  apartKmMin: Type.Integer({
    minimum: 1, maximum: 1_000, description: 'two uses of a card nearer than this are never too far apart'
  }),
  apartKmhMax: Type.Integer({
    minimum: 1, maximum: 10_000, description: 'a card that went faster from one terminal to another: a copy?'
  }),
  cityGraceDays: Type.Integer({
    minimum: 0, maximum: 365, description: 'a city that left the list is accepted so long'
  }),
  cityAddDays: Type.Integer({
    minimum: 0, maximum: 365, description: 'terminals know a new city after so long'
  }),
  returnDays: Type.Integer({
    minimum: 0, maximum: 365, description: 'the national centre may return so long'
  }),
  nationalCentre: {
    ...PartyCode, description: 'the party that owes for cards of other cities'
  } as typeof PartyCode,
  cardTypesAllowed: Type.Record(Type.String(), Type.Array(Type.String()), {
    description: 'card types that a kind of merchant takes: transit, clinic, library, retail; absent: all'
  }),
  factorOrder: literals(['city-first', 'card-first']),
  tacKeyLevels: Type.Integer({ minimum: 1, maximum: 2 }),
  shortAfterWorkingDays: Type.Integer({
    minimum: 0, maximum: 60, description: 'when an instruction without a bank line is short'
  }),
  namedFenMax: Type.Integer({
    minimum: 0, description: 'what a named card may hold, purse and online account together'
  }),
  anonymousFenMax: Type.Integer({ minimum: 0, description: 'the same for an anonymous card' }),
  topUpStepFen: Type.Integer({
    minimum: 1, description: 'top-ups, and loads an agent sells, are multiples of it'
  }),
  loadFenMax: Type.Integer({ minimum: 1, description: 'one load of a chip at most' }),
  parameterFourEyes: Type.Boolean({
    description: 'once the first day is cut, parameters and removals from the blacklist take a second person'
  }),
  refundFenMax: Type.Integer({ minimum: 0, description: 'larger refunds of one sale take a second person' }),
  residualRecognition: Type.Boolean({ description: 'whether forgotten value may become income' }),
  residualAfterDays: Type.Integer({ minimum: 365, description: 'days without any use before it may' }),
  anonymousLossReports: Type.Boolean({
    description: 'whether a card that is nobody\'s may be reported lost'
  }),
  oralLossDays: Type.Integer({
    minimum: 1, maximum: 366, description: 'days after which an oral report lapses'
  }),
  lossLiftDays: Type.Integer({
    minimum: 0, maximum: 366, description: 'so long a loss report may be lifted; then it is for good'
  }),
  lossHolderHours: Type.Integer({
    minimum: 0, maximum: 24 * 30,
    description: 'so long after a report its holder bears what the card pays'
  }),
  replacementWaitDays: Type.Integer({
    minimum: 0, maximum: 60, description: 'working days until the value of a card that nobody can read moves'
  }),
  replacementFeeFen: Type.Integer({
    minimum: 0, description: 'for another card in place of one that was lost or damaged'
  }),
  lostDepositMoves: Type.Boolean({ description: 'whether the deposit of a lost card is that of the next' }),
  returnAnywhereBelowFen: Type.Integer({
    minimum: 0, description: 'from here on a card is given back at own outlets alone'
  }),
  ownOutlets: Type.Array(PartyCode, { maxItems: 1_000, description: 'agents that are the issuer\'s own' }),
  unreadableReturnDays: Type.Integer({
    minimum: 0, maximum: 60, description: 'working days until a card is paid whose chip cannot be read'
  }),
  disputeRaiseDays: WorkingDays,
  disputeAnswerDays: WorkingDays,
  disputeEscalateDays: WorkingDays,
  caseAnswerDays: workingDays('in which what a resident asks for is answered'),
  complaintDays: workingDays('in which a complaint is answered'),
  caseRedDays: workingDays('so long behind its day a case shows red'),
  caseYellowPoints: points('what a late case is worth in the score of its office; in time: 100, red: 0'),
  gradeExcellentFrom: points('the score from which on an office is excellent'),
  gradeGoodFrom: points('the score from which on an office is good'),
  gradePassFrom: points('the score from which on an office has passed'),
  cardExpiryNoticeDays: Type.Integer({
    minimum: 0, maximum: 366, description: 'so long before its chip ends a resident is told'
  }),
  personalDataYears: Type.Integer({
    minimum: 0, maximum: 100, description: 'so long after the last card of a person their data are kept'
  })
}, { ...closed, $id: 'Policies' })
export type Policies = Static<typeof Policies>

/** Defaults; every one is a parameter of the deployment. */
export const defaultPolicies: Policies = {
  lateDays: 90,
  blacklistWindowHours: 24,
  clockToleranceMinutes: 10,
  debitFenMax: 100_000,
  overdraftFenMax: 800,
  greyDays: 90,
  topDebitFen: 30_000,
  topDebitsPerHourMax: 100,
  apartKmMin: 5,
  apartKmhMax: 200,
  cityGraceDays: 7,
  cityAddDays: 30,
  returnDays: 30,
  nationalCentre: 'NAT',
  cardTypesAllowed: {},
  factorOrder: 'city-first',
  tacKeyLevels: 1,
  shortAfterWorkingDays: 3,
  namedFenMax: 500_000,
  anonymousFenMax: 100_000,
  topUpStepFen: 1,
  loadFenMax: 500_000,
  parameterFourEyes: true,
  refundFenMax: 20_000,
  residualRecognition: false,
  residualAfterDays: 3 * 365,
  anonymousLossReports: false,
  oralLossDays: 7,
  lossLiftDays: 15,
  lossHolderHours: 0,
  replacementWaitDays: 7,
  replacementFeeFen: 0,
  lostDepositMoves: false,
  returnAnywhereBelowFen: 10_000,
  ownOutlets: [],
  unreadableReturnDays: 4,
  disputeRaiseDays: 30,
  disputeAnswerDays: 10,
  disputeEscalateDays: 10,
  caseAnswerDays: 10,
  complaintDays: 5,
  caseRedDays: 5,
  caseYellowPoints: 50,
  gradeExcellentFrom: 95,
  gradeGoodFrom: 85,
  gradePassFrom: 60,
  cardExpiryNoticeDays: 60,
  personalDataYears: 10
}

export const Holiday = Type.Object({
  date: LocalDate,
  worked: Type.Boolean({ description: 'true: worked and settled, also on a weekend; false: a day of rest' }),
  name: Type.String({ minLength: 1, maxLength: 64 })
}, { ...closed, $id: 'Holiday', description: 'a day that is not what its weekday says' })
export type Holiday = Static<typeof Holiday>

/** Adds days to the calendar, or replaces what it says of them; a day removed is what its weekday says. */
export const CalendarChange = Type.Object({
  add: Type.Array(Holiday, { maxItems: limits.holidaysMax }),
  remove: Type.Array(LocalDate, { maxItems: limits.holidaysMax })
}, { ...closed, $id: 'CalendarChange' })
export type CalendarChange = Static<typeof CalendarChange>

const many = <T extends TSchema>(schema: T) =>
  Type.Optional(Type.Array(schema, { maxItems: limits.registryItemsMax }))
export const Registry = Type.Object({
  parties: many(Party),
  products: many(Product),
  commissions: many(Commission),
  usageLimits: many(UsageLimit),
  bankAccounts: many(BankAccount),
  terminals: many(Terminal),
  psams: many(Psam),
  cards: many(Card),
  policies: Type.Optional(Type.Partial(Policies, closed)),
  holidays: Type.Optional(CalendarChange),
  /** The first clearing date of a new ledger; refused once it has moved. */
  clearingDate: Type.Optional(LocalDate)
}, { ...closed, $id: 'Registry' })
export type Registry = Static<typeof Registry>

export const RegistryReply = Type.Record(Type.String(), Type.Integer(),
  {
    $id: 'RegistryReply',
    description: 'entries stored, by kind; `proposal`: number of the one in which parameters wait, ' +
      '`holidaysProposal`: in which a change of the calendar does'
  })

/* ---- parameters at the edge ---- */

export const BlacklistEntry = Type.Object({
  card: CardRef,
  reason: literals(['loss', 'oral_loss', 'fraud', 'cancelled', 'death']),
  at: Instant
}, { ...closed, $id: 'BlacklistEntry' })
export type BlacklistEntry = Static<typeof BlacklistEntry>

/** Publishes one version: the next number unless `version` is given (then it must be above the last). */
export const BlacklistPublication = Type.Object({
  version: Type.Optional(Type.Integer({ minimum: 1 })),
  add: Type.Array(BlacklistEntry, { maxItems: limits.registryItemsMax }),
  remove: Type.Array(CardRef, { maxItems: limits.registryItemsMax })
}, { ...closed, $id: 'BlacklistPublication' })
export type BlacklistPublication = Static<typeof BlacklistPublication>

/**
 * `from` null: a full list (`remove` empty). The digest is SHA-256 over the sorted card keys of the whole
 * list at `to`, joined by LF.
 */
export const BlacklistReply = Type.Object({
  from: orNull(Type.Integer({ minimum: 0 })),
  to: Type.Integer({ minimum: 0 }),
  add: Type.Array(BlacklistEntry),
  remove: Type.Array(CardRef),
  digest: Hex(32)
}, { ...closed, $id: 'BlacklistReply' })
export type BlacklistReply = Static<typeof BlacklistReply>

/** A terminal says which version it *applied*, and when by its own clock. */
export const ParameterAcknowledgement = Type.Object({
  operator: Type.Optional({
    ...PartyCode, description: 'of the terminal; where several operators have a terminal of that number'
  } as typeof PartyCode),
  terminal: TerminalCode,
  kind: literals(['blacklist', 'tariff', 'cities']),
  version: Type.Integer({ minimum: 0 }),
  appliedAt: Instant
}, { ...closed, $id: 'ParameterAcknowledgement' })
export type ParameterAcknowledgement = Static<typeof ParameterAcknowledgement>

export const LiabilityLine = Type.Object({
  card: CardRef,
  terminal: TerminalCode,
  operator: PartyCode,
  eventAt: Instant,
  amountFen: Fen,
  listedVersion: Type.Integer(),
  listedAt: Instant,
  terminalVersion: orNull(Type.Integer()),
  terminalAppliedAt: orNull(Instant),
  liable: literals(['issuer', 'operator'])
}, { ...closed, $id: 'LiabilityLine' })
export type LiabilityLine = Static<typeof LiabilityLine>

/* ---- what the ledger shows ---- */

export const AccountBalance = Type.Object({
  account: Type.String({ description: 'book/heading or book/heading/party' }),
  book: Type.String(),
  heading: Type.String(),
  party: orNull(PartyCode),
  normalSide: literals(['debit', 'credit']),
  debitFen: Fen,
  creditFen: Fen,
  balanceFen: { ...Fen, description: 'on the normal side' } as typeof Fen
}, { ...closed, $id: 'AccountBalance' })
export type AccountBalance = Static<typeof AccountBalance>

export const KnownHead = Type.Object({
  size: Type.Integer({ minimum: 0, description: 'sealed batches under the signed head' }),
  at: Instant
}, { ...closed, $id: 'KnownHead', description: 'the books as this signed head covers them' })
export type KnownHead = Static<typeof KnownHead>

export const TrialBalance = Type.Object({
  asOf: LocalDate,
  known: orNull(KnownHead),
  accounts: Type.Array(AccountBalance),
  books: Type.Array(Type.Object({
    book: Type.String(), debitFen: Fen, creditFen: Fen,
    sumFen: { ...Fen, description: 'debits less credits: 0' } as typeof Fen
  }, closed), { description: 'whole books, whichever accounts are shown' }),
  sumFen: { ...Fen, description: 'debits less credits over all accounts: 0' } as typeof Fen
}, { ...closed, $id: 'TrialBalance' })
export type TrialBalance = Static<typeof TrialBalance>

/** A boarding that was priced otherwise than the tariff of its instant says: a finding, never a posting. */
export const PriceFinding = Type.Object({
  card: CardRef,
  cardType: Type.String(),
  counter: Type.Integer(),
  operator: PartyCode,
  terminal: Type.String(),
  eventAt: Instant,
  paidFen: Fen,
  dueFen: Fen,
  differenceFen: { ...Fen, description: 'paid less due' } as typeof Fen,
  tariffVersion: Type.Integer(),
  steps: Type.Array(Type.String())
}, { ...closed, $id: 'PriceFinding' })
export type PriceFinding = Static<typeof PriceFinding>

export const CardView = Type.Object({
  card: CardRef,
  type: Type.String(),
  state: Type.String(),
  blacklisted: Type.Boolean(),
  purse: Type.Object({
    lastCounter: Type.Integer(),
    lastBalanceFen: {
      ...Fen,
      description: 'balance after the last record, as the chip told it'
    } as typeof Fen,
    shadowFen: {
      ...Fen,
      description: 'confirmed loads less accepted debits: what the ledger owes'
    } as typeof Fen,
    openItems: Type.Integer({ minimum: 0 })
  }, closed)
}, { ...closed, $id: 'CardView' })
export type CardView = Static<typeof CardView>

/** One card, with what takes a look of its own. */
export const CardDetail = Type.Object({
  ...CardView.properties,
  branch: orNull(Type.String({ description: 'null: every branch serves it' })),
  openedAt: Instant,
  validUntil: orNull({
    ...LocalDate, description: 'the last day on which terminals take its chip; null: not known'
  } as typeof LocalDate),
  listedFor: orNull(Type.String({ description: 'why it is on the blacklist' })),
  pendingFen: { ...Fen, description: 'waits to be written to the chip at its next load' } as typeof Fen
}, { ...closed, $id: 'CardDetail' })
export type CardDetail = Static<typeof CardDetail>

export const RecordView = Type.Object({
  card: orNull(CardRef),
  type: Type.String(),
  counter: orNull(Type.Integer()),
  amountFen: orNull(Fen),
  balanceBeforeFen: orNull(Fen),
  operator: Type.String(),
  terminal: Type.String(),
  psam: Type.String(),
  sequence: orNull(Type.Integer()),
  eventAt: orNull(Instant),
  outcome: OutcomeName,
  reason: ReasonName,
  findings: Type.Array(Type.String({ description: 'every check that failed, in order' })),
  clearingDate: LocalDate,
  estimatedAt: Type.Optional({
    ...Instant, description: 'when it is taken to have happened, where its clock cannot have been right'
  } as typeof Instant),
  delivery: Type.String(),
  line: Type.Integer(),
  adjusted: Type.Array(Type.Object({ outcome: OutcomeName, reason: ReasonName, clearingDate: LocalDate },
    closed), {
    description: 'later verdicts, each a correction in its own clearing date; the last one counts'
  })
}, { ...closed, $id: 'RecordView' })
export type RecordView = Static<typeof RecordView>

export const RecordTotals = Type.Object({
  clearingDate: LocalDate,
  delivered: Type.Integer({ description: 'lines that arrived, repeats included' }),
  distinct: Type.Integer(),
  accepted: Type.Integer(),
  held: Type.Integer(),
  excluded: Type.Integer(),
  refused: Type.Record(Type.String(), Type.Integer()),
  acceptedFen: Fen
},
{
  ...closed, $id: 'RecordTotals',
  description: 'accepted + held + excluded + all refused = distinct; first answers'
})
export type RecordTotals = Static<typeof RecordTotals>

/* ---- the clearing day ---- */

export const dayStates = ['OPEN', 'CUT', 'VERIFIED', 'CLEARED', 'APPROVED', 'INSTRUCTED',
  'CONFIRMED'] as const
export type DayState = typeof dayStates[number]

export const Position = Type.Object({
  party: PartyCode,
  book: Type.String(),
  claimsFen: { ...Fen, description: 'accepted debits at this party' } as typeof Fen,
  commissionFen: { ...Fen, description: 'what the party pays on its claims' } as typeof Fen,
  loadsFen: {
    ...Fen,
    description: 'money the party took from residents for loads and deposits'
  } as typeof Fen,
  loadCommissionFen: Fen,
  adjustmentsFen: Fen,
  netFen: { ...Fen, description: 'positive: the party is paid' } as typeof Fen
}, { ...closed, $id: 'Position' })
export type Position = Static<typeof Position>

export const DayView = Type.Object({
  date: LocalDate,
  state: literals(dayStates),
  valueDate: { ...LocalDate, description: 'when its nets are paid' } as typeof LocalDate,
  paidWith: orNull({
    ...LocalDate, description: 'date under which the instructions stand that pay it; null before'
  } as typeof LocalDate),
  blockers: Type.Array(Type.String({ description: 'what keeps it from its next state' })),
  override: orNull(Type.Object({
    by: Type.Array(Type.String(), { description: 'who started it, then who agreed' }), reason: Type.String(),
    at: Instant
  }, { ...closed, description: 'that people let it be paid although its float is off' })),
  checks: Type.Array(Type.Object({
    name: Type.String(), ok: Type.Boolean(), detail: Type.String(), at: Instant
  }, closed), { description: 'every failure there ever was, and the last result of each check' }),
  steps: Type.Array(Type.Object({ state: literals(dayStates), at: Instant, by: Type.String() }, closed)),
  approvals: Type.Array(Type.Object({ staff: Type.String(), at: Instant }, closed)),
  digest: orNull(Type.String({ description: 'SHA-256 of the positions; an approval names it' })),
  positions: Type.Array(Position),
  netSumFen: Fen
}, { ...closed, $id: 'DayView' })
export type DayView = Static<typeof DayView>

export const Approval = Type.Object({ digest: Hex(32) }, { ...closed, $id: 'Approval' })

export const Instruction = Type.Object({
  id: Type.String(),
  party: PartyCode,
  book: Type.String(),
  direction: literals(['pay', 'collect']),
  amountFen: Fen,
  clearingDate: LocalDate,
  run: Type.Integer({ description: '1: of the date itself; later ones replace what came back' }),
  valueDate: LocalDate,
  state: literals(['sent', 'confirmed', 'returned', 'void']),
  replacedBy: orNull(Type.String({
    description: 'the instruction that took a returned amount along; its own id where it was netted away'
  })),
  account: orNull(Type.String({ description: 'of the party, masked; null while none is registered' }))
}, { ...closed, $id: 'Instruction', description: 'what the bank is told to pay or to collect' })
export type Instruction = Static<typeof Instruction>

export const Statement = Type.Object({
  party: PartyCode,
  date: LocalDate,
  nameZh: Type.String(),
  nameEn: Type.String(),
  lines: Type.Array(Type.Object({
    text: Type.String(), count: Type.Integer(), amountFen: Fen
  }, closed)),
  netFen: Fen,
  carriedFen: Type.Optional(Type.Integer({
    minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER,
    description: 'what instructed dates before had left open when this was issued: below the threshold, ' +
      'held, or brought back by the bank; no part of the net, settled together with it. Absent: nothing'
  })),
  head: SignedHead
}, { ...closed, $id: 'Statement' })
export type Statement = Static<typeof Statement>

/* ---- staff, problems, verification ---- */

export const roles = ['registrar', 'clerk', 'hotline', 'settler', 'approver', 'auditor', 'admin'] as const
export type Role = typeof roles[number]

export const SignIn = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 64 }),
  password: Type.String({ minLength: 1, maxLength: 256 })
}, { ...closed, $id: 'SignIn' })

/** RFC 9457 problem document; `reason` is from the registry of reasons, `where` points into the request. */
export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  reason: Type.String(),
  detail: Type.Optional(Type.String()),
  where: Type.Optional(Type.String()),
  instance: Type.Optional(Type.String({ description: 'path of the request, card numbers masked' }))
}, { ...closed, $id: 'Problem' })
export type Problem = Static<typeof Problem>

export const FileReply = Type.Object({
  file: Type.String(),
  status: literals(['processed', 'already_processed']),
  clearingDate: LocalDate,
  count: Type.Integer(),
  amountFen: Fen,
  confirmed: Type.Object({ count: Type.Integer(), amountFen: Fen }, closed),
  refused: Type.Object({ count: Type.Integer(), amountFen: Fen },
    { ...closed, description: 'held lines included, as on the wire' }),
  excluded: Type.Object({ count: Type.Integer(), amountFen: Fen }, closed),
  lines: Type.Array(Type.Object({
    line: Type.Integer(), outcome: OutcomeName, reason: ReasonName, wire: Type.String(),
    detail: Type.Optional(Type.String())
  }, closed), { description: 'every line that was not simply accepted' })
}, { ...closed, $id: 'FileReply' })
export type FileReply = Static<typeof FileReply>

export const VerifyReport = Type.Object({
  ok: Type.Boolean(),
  checks: Type.Array(Type.Object({ check: Type.String(), ok: Type.Boolean(), detail: Type.String() }, closed))
}, { ...closed, $id: 'VerifyReport' })
export type VerifyReport = Static<typeof VerifyReport>

export const recordSchema = TransactionRecord
