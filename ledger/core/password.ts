// What a password must be. Length does the work; rules about digits and signs only make people write it down.
// Pure.
export const passwordLengthMin = 12

/** What is wrong with a password for this person, in words; null where it will do. */
export function passwordWeakness (name: string, password: string): string | null {
  if ([...password].length < passwordLengthMin) return `a password has ${passwordLengthMin} characters or more`
  if (name !== '' && folded(password).includes(folded(name))) return 'a password does not contain the name'
  if (new Set(folded(password)).size < variety) return `a password has ${variety} different characters or more`
  return null
}

/** aaaaaaaaaaaa is long and no secret. */
const variety = 5

const folded = (text: string): string => text.normalize('NFKC').toLowerCase()
