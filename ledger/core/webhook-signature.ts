// Signatures of webhook calls as Standard Webhooks has them, and the secrets behind them: derived from one
// key of the ledger, stored nowhere. Pure.
import { createHmac } from 'node:crypto'

/** The secret of a webhook in one generation, 32 bytes. */
export const webhookSecret = (
  key: Uint8Array, { webhookId, salt, generation }: {
    readonly webhookId: bigint, readonly salt: Uint8Array, readonly generation: number
  }
): Buffer => createHmac('sha256', key)
  .update(`webhook|1|${webhookId}|${generation}|`, 'ascii').update(salt).digest()

/** As receivers are given it. */
export const secretText = (secret: Uint8Array): string => `whsec_${Buffer.from(secret).toString('base64')}`

/** The three headers. Several secrets give several signatures, and one that fits is enough. */
export const signedHeaders = (
  secrets: readonly Uint8Array[], { id, atMs, body }: {
    readonly id: string, readonly atMs: number, readonly body: string
  }
): Record<string, string> => {
  const timestamp = String(Math.floor(atMs / 1_000))
  const sign = (secret: Uint8Array) =>
    createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`, 'utf8').digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map(secret => `v1,${sign(secret)}`).join(' ')
  }
}
