// Who wants to be told of what, where, and under which secret; dead letters and how they are sent again. It
// refuses to know how a call is made.
import { refusalOf } from './address.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Event, TellingView, Topic, WebhookView } from '../../schemas/events.ts'
import { audit } from '../people/audit.ts'
import { secretText, webhookSecret } from '../core/webhook-signature.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction } from '../store/db.ts'
import {
  endWebhook, insertWebhook, readTellings, readWebhooks, rotateWebhook, tellAgain, type Telling,
  type TellingFilter, type WebhookRow
} from '../store/outbox.ts'

/** Who asks. `party` null: may hear of all parties. */
export type Asker = { readonly id: string, readonly party: string | null }

const webhooksMax = 20
const oldSecretMs = 24 * 3_600_000

/** Throws Refusal webhook_invalid for a URL that leads where it must not, or one webhook too many. */
export async function createWebhook (
  ledger: Ledger, by: Asker, { url, topics }: { readonly url: string, readonly topics: readonly Topic[] }
): Promise<WebhookView> {
  const refusal = refusalOf(url, ledger.privateWebhooks)
  if (refusal !== null) throw new Refusal('webhook_invalid', refusal, '/url')
  const atMs = ledger.clock.now()
  if ((await readWebhooks(ledger.db, by.id)).length >= webhooksMax) {
    throw new Refusal('webhook_invalid', `${by.id} has ${webhooksMax} webhooks already; end one first`)
  }
  const id = await inTransaction(ledger.db, async tx => {
    const salt = ledger.random(16)
    const id = await insertWebhook(tx, { owner: by.id, party: by.party, url, topics, salt, atMs })
    await audit(tx, atMs, {
      by: by.id, action: 'webhook.create', subject: `webhook/${id}`, detail: { url, topics, party: by.party }
    })
    return id
  })
  return viewOf(await ownWebhook(ledger, by, id))
}

export const listWebhooks = async (ledger: Ledger, by: Asker): Promise<WebhookView[]> =>
  (await readWebhooks(ledger.db, by.id)).map(viewOf)

export async function removeWebhook (ledger: Ledger, by: Asker, id: bigint): Promise<void> {
  await change(ledger, by, id, 'webhook.end', endWebhook)
}

/** A new secret; the one before also signs for a day, so that receivers can change in peace. */
export async function rotateSecret (ledger: Ledger, by: Asker, id: bigint) {
  await change(ledger, by, id, 'webhook.rotate', rotateWebhook)
  return await showSecret(ledger, by, id)
}

export async function showSecret (ledger: Ledger, by: Asker, id: bigint) {
  const webhook = await ownWebhook(ledger, by, id)
  const untilMs = webhook.rotatedAtMs === null ? 0 : webhook.rotatedAtMs + oldSecretMs
  return {
    secret: secretText(webhookSecret(ledger.webhookKey, webhook)),
    alsoUntil: untilMs > ledger.clock.now() ? formatIso(untilMs) : null
  }
}

/** The secrets that sign now, the newest first. */
export function secretsOf (
  { webhookKey }: Pick<Ledger, 'webhookKey'>,
  webhook: Pick<WebhookRow, 'webhookId' | 'salt' | 'generation' | 'rotatedAtMs'>, nowMs: number
): Buffer[] {
  const { generation, rotatedAtMs } = webhook
  const alsoOld = rotatedAtMs !== null && nowMs < rotatedAtMs + oldSecretMs
  return [generation, ...alsoOld ? [generation - 1] : []]
    .map(one => webhookSecret(webhookKey, { ...webhook, generation: one }))
}

/** The body of a call; a repeat has the same. */
export const eventOf = (
  { eventId, topic, createdAtMs, sequence, subject, body }: Telling
): Event => ({
  id: eventId, type: topic, timestamp: formatIso(createdAtMs), sequence: Number(sequence), subject, data: body
})

export async function listTellings (
  ledger: Ledger, by: Asker, filter: TellingFilter
): Promise<TellingView[]> {
  await ownWebhook(ledger, by, filter.webhookId)
  return (await readTellings(ledger.db, filter)).map(tellingView)
}

/** Throws Refusal not_found. */
export async function resend (
  ledger: Ledger, by: Asker, webhookId: bigint, tellingId: bigint
): Promise<void> {
  await change(ledger, by, webhookId, 'webhook.resend', async (tx, id, atMs) => {
    if (await tellAgain(tx, id, tellingId, atMs)) return
    throw new Refusal('not_found', `webhook ${id} has no telling ${tellingId}`)
  }, { telling: Number(tellingId) })
}

async function change (
  ledger: Ledger, by: Asker, id: bigint, action: string,
  act: (tx: Parameters<typeof endWebhook>[0], id: bigint, atMs: number) => Promise<void>, detail: object = {}
): Promise<void> {
  await ownWebhook(ledger, by, id)
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    await act(tx, id, atMs)
    await audit(tx, atMs, { by: by.id, action, subject: `webhook/${id}`, detail })
  })
}

/** Another's webhook is not there. */
async function ownWebhook ({ db }: Ledger, by: Asker, id: bigint): Promise<WebhookRow> {
  const [webhook] = await readWebhooks(db, by.id, id)
  if (webhook === undefined) throw new Refusal('not_found', `${by.id} has no webhook ${id}`)
  return webhook
}

const viewOf = (
  { webhookId, owner, party, url, topics, createdAtMs, waiting, dead }: WebhookRow
): WebhookView => ({
  id: Number(webhookId), owner, party, url, topics: [...topics], createdAt: formatIso(createdAtMs),
  waiting: Number(waiting), dead: Number(dead)
})

const tellingView = (telling: Telling): TellingView => ({
  id: Number(telling.tellingId), event: eventOf(telling), state: telling.state as TellingView['state'],
  tries: telling.tries, dueAt: formatIso(telling.dueAtMs), lastAnswer: telling.lastAnswer,
  endedAt: telling.endedAtMs === null ? null : formatIso(telling.endedAtMs)
})
