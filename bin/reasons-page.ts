// The page of reasons, made from the registry of reasons: `tsx bin/reasons-page.ts > docs/reasons.md`.
import { tapReasons } from '../schemas/gateway.ts'
import { answerReasons, hostReasons, requestReasons, verdictReasons } from '../schemas/reasons.ts'

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

export function reasonsPage (): string {
  const verdicts = Object.entries(verdictReasons).map(([name, { outcome, wire, en, zh }]) =>
    row([`\`${name}\``, outcome, wire ?? '–', en, zh]))
  const requests = Object.entries(requestReasons).map(([name, { http, en, zh }]) =>
    row([`\`${name}\``, String(http), en, zh]))
  const answers = Object.entries(answerReasons).map(([name, { iso8583, en, zh }]) =>
    row([`\`${name}\``, iso8583, en, zh]))
  const taps = Object.entries(tapReasons).map(([name, { outcome, en, zh }]) =>
    row([`\`${name}\``, outcome, en, zh]))
  const hosts = Object.entries(hostReasons).map(([name, { iso8583, en, zh }]) =>
    row([`\`${name}\``, iso8583, en, zh]))
  return [
    '# Reasons', '',
    'Every verdict on a record, every tap at a lane and every refused request names one of these. Made from',
    '`schemas/reasons.ts` and `schemas/gateway.ts`; a test fails where they differ.', '',
    '## Verdicts on records', '',
    'The order of the rows is the order of the checks: the first that applies names the verdict, and all',
    'that apply are kept as findings. *Wire* is the code in the SS file.', '',
    row(['reason', 'outcome', 'wire', 'meaning', '含义']), row(['---', '---', '---', '---', '---']),
    ...verdicts, '',
    '## Taps at a lane', '',
    'What a lane says of a card. Unknown is not failed: the card may have paid, and settles it when it',
    'comes back.', '',
    row(['reason', 'outcome', 'meaning', '含义']), row(['---', '---', '---', '---']), ...taps, '',
    '## Answers to online requests', '',
    'Approved with `ok`, declined with another. The order of the rows is the order of the checks.',
    '*39* is the response code on the wire of ISO 8583.', '',
    row(['reason', '39', 'meaning', '含义']), row(['---', '---', '---', '---']), ...answers, '',
    '## Answers of the gateway to ISO 8583 terminals', '',
    'What never became a request at the ledger, or was not answered by it.', '',
    row(['reason', '39', 'meaning', '含义']), row(['---', '---', '---', '---']), ...hosts, '',
    '## Refused requests', '',
    'The `reason` of an RFC 9457 problem document; its `detail` says what and where.', '',
    row(['reason', 'status', 'meaning', '含义']), row(['---', '---', '---', '---']), ...requests, ''
  ].join('\n')
}

if (import.meta.filename === process.argv[1]) process.stdout.write(reasonsPage())
