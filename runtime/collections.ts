// Small things over arrays that the language lacks on Node 20. Knows no domain.

/** Groups in order of first appearance. */
export function groupBy<T, K> (items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

/** The same items once each, by key; the first of equals stays. */
export const uniqueBy = <T, K>(items: Iterable<T>, keyOf: (item: T) => K): T[] =>
  [...groupBy(items, keyOf).values()].map(group => group[0] as T)
