// Whole numbers whose text is wanted by the thousand. Pure.

/** The same number in the kind whose text costs a quarter (30 ns against 120 ns), where nothing is lost. */
export const short = <T extends bigint | number | null | undefined>(value: T): T | number =>
  typeof value === 'bigint' && value <= safeMax && value >= -safeMax ? Number(value) : value
const safeMax = BigInt(Number.MAX_SAFE_INTEGER)
