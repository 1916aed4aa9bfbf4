// Columns of a set as PostgreSQL array literals. The driver quotes every element of an array by itself, which
// costs more than the insert; numbers, instants and bytes need no quoting.

export const numbers = (values: readonly (number | bigint | null)[]): string =>
  `{${values.map(value => value ?? 'NULL').join(',')}}`

export const booleans = (values: readonly boolean[]): string => `{${values.join(',')}}`

export const bytes = (values: readonly (Uint8Array | null)[]): string =>
  `{${values.map(value => value === null ? 'NULL' : `"\\\\x${hexOf(value)}"`).join(',')}}`

/** Bytes that are hexadecimal text already. */
export const hexes = (values: readonly string[]): string =>
  `{${values.map(value => `"\\\\x${value}"`).join(',')}}`

/** Epoch milliseconds for `timestamptz[]`. */
export const instants = (values: readonly (number | null)[]): string =>
  `{${values.map(value => value === null ? 'NULL' : new Date(value).toISOString()).join(',')}}`

/** Lists of small numbers, as texts: arrays of arrays do not come apart row by row. */
export const lists = (values: readonly (readonly number[] | null)[]): string =>
  `{${values.map(value => value === null ? 'NULL' : `"{${value.join(',')}}"`).join(',')}}`

const hexOf = (value: Uint8Array): string =>
  Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
