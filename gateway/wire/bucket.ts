// A token bucket: so much at once, so much a second after that. Pure; time is an argument.

export type Rate = { readonly perSecond: number, readonly burst: number }
export type Bucket = { readonly tokens: number, readonly atMs: number }

export const fullBucket = ({ burst }: Rate, nowMs: number): Bucket => ({ tokens: burst, atMs: nowMs })

/** What is in it now. A clock that went back fills nothing. */
export function filled ({ tokens, atMs }: Bucket, { perSecond, burst }: Rate, nowMs: number): Bucket {
  const gained = Math.max(0, nowMs - atMs) * perSecond / 1_000
  return { tokens: Math.min(burst, tokens + gained), atMs: Math.max(atMs, nowMs) }
}

/** Without what was taken, or null where there is not enough in it. */
export const taken = ({ tokens, atMs }: Bucket, cost: number): Bucket | null =>
  tokens < cost ? null : { tokens: tokens - cost, atMs }
