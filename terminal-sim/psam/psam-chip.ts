export const psamChip = (..._: unknown[]) => { throw new Error('not yet') }
