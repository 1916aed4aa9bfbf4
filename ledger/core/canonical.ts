// One text for one meaning: JSON with its keys in order, so that two senders' field orders compare equal.
// Pure.

/** Key order is the sender's business. */
export const canonical = (value: unknown): string => JSON.stringify(value, (_, one: unknown) =>
  typeof one === 'object' && one !== null && !Array.isArray(one)
    ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1))
    : one)
