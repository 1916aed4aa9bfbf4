// Declared services as they are told: what there is, what was answered, how a price came about. It refuses
// to know any service.
import { formatIso } from '../../../runtime/instants.ts'
import type { AnswerReason } from '../../../schemas/reasons.ts'
import type {
  ServiceDeclared, ServiceEventView, ServicePayer, ServiceReply, Words
} from '../../../schemas/service.ts'
import type { Snapshot } from '../../store/registry.ts'
import type { EventRow, FoundEvent, StoredStep } from '../../store/services.ts'
import { services, wordsOf } from './declared.ts'
import type { Service } from './service.ts'

export const declarations = (): ServiceDeclared[] =>
  Object.entries(services).map(([service, { name, payers, books, rules, events, reasons, texts }]) => ({
    service, name, payers: [...payers], books: [...books], rules, reasons: { ...reasons },
    texts: { ...texts },
    events: Object.fromEntries(Object.entries(events)
      .map(([event, { says, card, said }]) => [event, { says, card, said }]))
  }))

type Told = EventRow & Pick<FoundEvent, 'takenBack'>

const answerOf = (service: Service, row: Told) => {
  const { key, event, outcome, reason, why, rulesFrom, returnedAtMs, takenBack } = row
  const priceFen = Number(row.priceFen)
  return {
    key, event, outcome, reason, words: wordsOf(service, reason), why: why as AnswerReason | null, priceFen,
    dueFen: reason === 'payment_declined' ? priceFen : 0,
    parts: row.parts.map(part => ({ ...part, payer: part.payer as ServicePayer })),
    steps: row.steps.map(step => ({ ...sentence(service, step), amountFen: step.fen })),
    rulesFrom, returned: returnedAtMs !== null,
    takenBack: takenBack === null
      ? null
      : {
          at: formatIso(takenBack.reversedAtMs), clearingDate: takenBack.clearingDate, why: takenBack.why,
          proposal: Number(takenBack.proposalId)
        }
  }
}

export const replyOf = (service: Service, row: Told, replayed: boolean): ServiceReply =>
  ({ ...answerOf(service, row), replayed })

export const viewEvent = (service: Service, { partyById }: Snapshot, row: FoundEvent): ServiceEventView => ({
  number: Number(row.eventNo), ...answerOf(service, row), at: formatIso(row.atMs),
  place: partyById.get(row.placeId)?.code ?? '', terminal: row.terminal, debit: row.debit
})

/** A text with its words. Throws for one that the service does not declare. */
function sentence ({ texts }: Service, { say, with: words }: StoredStep): Words {
  const text = texts[say]
  if (text === undefined) throw new Error(`no text ${say}`)
  const filled = (template: string): string =>
    template.replace(/\{(\w+)\}/g, (_, name: string) => String(words[name] ?? '?'))
  return { en: filled(text.en), zh: filled(text.zh) }
}
