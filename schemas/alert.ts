// Alerts as the API shows them: what kinds there are and what each means. It refuses to know who finds them.
import { Type, type Static } from 'typebox'
import { Instant, LocalDate } from './api.ts'

/** Kinds by name; each part of the ledger adds its own. */
export const alertKinds = {
  psam_unknown: 'records of a PSAM that nobody registered',
  terminal_unknown: 'records of a terminal that nobody registered',
  psam_terminal_mismatch: 'records of a PSAM that is bound to another terminal',
  merchant_mismatch: 'an operator told records of the terminal of another',
  psam_stolen: 'a PSAM that was reported stolen is in use',
  clock_implausible: 'a terminal whose clock cannot be right',
  clock_drift: 'a terminal whose clock runs ahead, inside the tolerance',
  psam_regression: 'the sequence of a PSAM runs backwards',
  clone_suspicion:
    'two valid records claim one counter of a chip, or one card was at two places too far apart',
  merchant_closed: 'records for an operator whose account was closed',
  account_reopened: 'a closed account was opened again, because it owes or is owed money',
  redress_void: 'what was given back of a debit was taken back, because the debit no longer stands',
  unknown_load: 'a chip holds more than it was loaded with',
  load_tac_wrong: 'a terminal told a load with a TAC that is not the chip\'s',
  fraud_suspicion: 'a terminal makes more top-value debits an hour than it may',
  usage_over_limit: 'chips paid more in a day, or at once, than a card or a terminal may take',
  city_list_overdue: 'a terminal accepts by a list of cities that is too old',
  gateway_away: 'a gateway has not reported for three times its interval',
  terminal_unhandled: 'an event of a terminal was not handled in its time',
  fleet_below: 'terminals were less intact, or events handled less fast, than the city asks for'
} as const
export type AlertKind = keyof typeof alertKinds

export const AlertKindName = Type.Unsafe<AlertKind>(Type.String({ enum: Object.keys(alertKinds) }))

export const AlertView = Type.Object({
  id: Type.Integer(),
  kind: AlertKindName,
  about: Type.String({
    description:
    'what it is about: psam/…, terminal/…, gateway/…, party/…, card/… (masked)'
  }),
  clearingDate: LocalDate,
  at: Instant,
  evidence: Type.Unknown({ description: 'the first that was found' })
}, { additionalProperties: false, $id: 'AlertView' })
export type AlertView = Static<typeof AlertView>
