// What a password must be. Length does the work; rules about digits and signs only make people write it down.
// Pure.
export const passwordLengthMin = 12

/** What is wrong with a password for this person, in words; null where it will do. */
export function passwordWeakness (name: string, password: string): string | null {
  const length = [...password].length
  if (length < passwordLengthMin) return `${length} characters, ${passwordLengthMin} are needed`
  if (name !== '' && folded(password).includes(folded(name))) return 'a password does not contain the name'
  const found = new Set(folded(password)).size
  if (found < variety) return `${found} different characters, ${variety} are needed`
  return null
}

/** aaaaaaaaaaaa is long and no secret. */
const variety = 5

const folded = (text: string): string => text.normalize('NFKC').toLowerCase()
