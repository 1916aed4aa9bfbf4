// How long the rows of each table stay, as data: a new table says it here, or a test fails. It refuses to
// know how rows are deleted.

/** Why rows are never deleted by this program. */
export const stays = {
  books: 'money, who decided about it, what was signed and shown',
  keys: 'what a record or a request is recognised by: a card may come back after years',
  verdicts: 'what was said of each record, and the facts it follows from',
  evidence: 'ten years; then people archive it and run the statement that `retention` prints',
  registry: 'who and what there is; does not grow with traffic',
  state: 'changed in place or taken away as work is done; does not grow with traffic'
} as const
export type Stay = keyof typeof stays

/** Deleted by `retention --apply` so many days after it was over; `why` nobody misses it. */
export type Ending = { readonly days: number, readonly why: string }

/** Verdicts on late records ask for them: at least the late limit and a month. */
const afterLateRecords = 400

export const retention: Readonly<Record<string, Stay | Ending>> = {
  transfer: 'evidence', delivery: 'evidence', delivery_raw: 'evidence', delivery_part: 'evidence',

  batch: 'books', note: 'books', balance_delta: 'books', account_day: 'books', account_batch: 'books',
  general_ledger: 'books', position: 'books', position_charge: 'books', statement: 'books',
  instruction: 'books', instruction_account: 'books', clearing_day: 'books', day_step: 'books',
  day_check: 'books', day_approval: 'books', settlement_override: 'books', settlement_hold: 'books',
  bank_account: 'books', bank_line: 'books', bank_statement: 'books', redress: 'books',
  redress_void: 'books', card_move: 'books', card_application_step: 'books',
  card_replacement: 'books', card_return: 'books', fare_entry: 'books', exit_decision: 'books',
  residual: 'books', library_payment: 'books', library_payment_part: 'books',
  library_rules: 'books', service_rules: 'books', service_event: 'books', service_reversal: 'books',
  service_share: 'books', treasury_claim: 'books', treasury_payment: 'books', archive_day: 'books',
  clinic_settlement: 'books', clinic_add: 'books', clinic_effect: 'books', clinic_rule_set: 'books',
  clinic_accumulator: 'books',
  dispute: 'books', dispute_step: 'books', resident_case: 'books', audit: 'books', proposal: 'books',
  proposal_decision: 'books',
  tree_leaf: 'books', tree_tile: 'books', head_given: 'books', signing_key: 'books', item: 'books',
  alert: 'books', reconciliation_run: 'books', medical_total: 'books',
  national_batch: 'books', national_receipt: 'books', national_return: 'books',

  card_event: 'keys', terminal_claim: 'keys', request: 'keys', load: 'keys', card_block: 'keys',
  card_order: 'keys', card_order_signature: 'keys', issuing_batch: 'keys', issuing_card: 'keys',
  clinic_message: 'keys', clinic_reversed: 'keys', clinic_exchange: 'keys', phone_use: 'keys',
  social_message: 'keys',
  evidence: 'verdicts', adjustment: 'verdicts', chain_fact: 'verdicts',
  blacklist_entry: 'verdicts', blacklist_version: 'verdicts', tariff_version: 'verdicts',
  city_list_version: 'verdicts', accepted_city: 'verdicts', psam_reuse: 'verdicts',
  account_closing: 'verdicts', ride: 'verdicts',

  party: 'registry', account: 'registry', commission: 'registry', usage_limit: 'registry',
  terminal: 'registry', psam: 'registry', phone: 'registry',
  policy: 'registry', policy_past: 'registry', product: 'registry', client: 'registry', staff: 'registry',
  card: 'registry',
  concession_right: 'registry', holder: 'registry', card_holder: 'registry', card_application: 'registry',
  card_found: 'registry', resident: 'registry', erasure: 'registry',
  staff_identity: 'registry', clinic_person: 'registry', clinic_institution: 'registry',
  clinic_centre: 'registry', clinic_national: 'registry',
  library_patron: 'registry', library_binding: 'registry', library_item: 'registry',
  terminal_enrolment: 'registry', client_certificate: 'registry', holiday: 'registry',
  webhook: 'registry', migration: 'registry',

  fare_due: 'state', fare_day: 'state',
  purse: 'state', guarded_balance: 'state', open_day: 'state', batch_news: 'state', psam_sequence: 'state',
  sign_in_failure: 'state', resident_activation: 'state',
  library_hold: 'state', terminal_state: 'state', gateway_state: 'state',
  service_subject: 'state',

  tree_head: { days: 40, why: 'a later one of its hour covers it; those given to others stay for ever' },
  keyed_reply: { days: 180, why: 'whoever comes back after weeks has; deeds stand in the audit log' },
  session: { days: 7, why: 'it is over; signing in and out stands in the audit log' },
  resident_session: { days: 7, why: 'it is over; signing in and out stands in the audit log' },
  telling: { days: 90, why: 'the receiver has it, or was given up' },
  outbox: { days: 90, why: 'everybody was told; what it tells of stands in the books' },
  income: { days: 400, why: 'made anew from transfers and raw bytes when somebody asks' },
  service_quota: { days: 400, why: 'its day is over; who entered stands in the events' },
  clinic_batch: { days: 400, why: 'what was settled of it stands in the bill' },
  clinic_file: { days: 90, why: 'it was compared; either side makes it anew' },
  library_loan: { days: 400, why: 'the item is back and cost nothing: what people read is their own' },
  income_batch: { days: 400, why: 'goes with its income' },
  last_tac: { days: afterLateRecords, why: 'what it proved is booked; no record so old comes any more' },
  top_debit: { days: afterLateRecords, why: 'no record so old is booked any more' },
  parameter_applied: { days: afterLateRecords, why: 'a later version came, no record so old is booked' },
  usage: { days: 30, why: 'its day is over; what moved stands in the books' },
  component_news: { days: 400, why: 'a platform has read it, or reads the list anew' },
  terminal_event: { days: 400, why: 'what it said of availability was shown; nothing of money follows' },
  terminal_total: { days: 400, why: 'what was compared and found stands in runs and items' },
  party_position: { days: 400, why: 'what was compared and found stands in runs and items' },
  party_position_item: { days: 400, why: 'goes with its position' }
}

/**
 * Days after which rows of a table go; null where they stay. Late records have a limit of each city's own.
 */
export function endsAfterDays (table: string, lateDays: number): number | null {
  const ending = retention[table]
  if (ending === undefined || typeof ending === 'string') return null
  return ending.days === afterLateRecords ? Math.max(ending.days, lateDays + 31) : ending.days
}
