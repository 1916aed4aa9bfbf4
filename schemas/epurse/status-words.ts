// Status words of cards and PSAMs in words (ISO/IEC 7816-4, and the 93xx/94xx family of the electronic
// purse).

export const statusWords: Readonly<Record<string, { readonly name: string, readonly meaning: string }>> = {
  9000: { name: 'ok', meaning: 'done' },
  6281: { name: 'data_maybe_corrupt', meaning: 'part of the data may be corrupt' },
  6283: { name: 'selected_invalid', meaning: 'the selected file is invalid (locked)' },
  6284: { name: 'fci_format', meaning: 'FCI format (seen as locked)' },
  6300: { name: 'auth_failed', meaning: 'authentication failed' },
  6400: { name: 'error', meaning: 'nothing changed, error' },
  6581: { name: 'memory', meaning: 'writing to memory failed' },
  6700: { name: 'wrong_length', meaning: 'wrong length' },
  6900: { name: 'cannot_process', meaning: 'cannot process' },
  6901: { name: 'wrong_order', meaning: 'command not accepted in this state' },
  6981: { name: 'wrong_file_type', meaning: 'wrong file type' },
  6982: { name: 'security', meaning: 'security status not met' },
  6983: { name: 'blocked', meaning: 'key or PIN blocked' },
  6984: { name: 'no_random', meaning: 'no random was asked for' },
  6985: { name: 'conditions', meaning: 'conditions of use not met' },
  6986: { name: 'no_file', meaning: 'no elementary file selected' },
  6987: { name: 'sm_missing', meaning: 'secure messaging data missing' },
  6988: { name: 'sm_wrong', meaning: 'secure messaging MAC wrong' },
  '6A80': { name: 'bad_data', meaning: 'bad data field' },
  '6A81': { name: 'not_supported', meaning: 'function not supported; application or card locked' },
  '6A82': { name: 'file_missing', meaning: 'file not found' },
  '6A83': { name: 'record_missing', meaning: 'record not found' },
  '6A84': { name: 'no_room', meaning: 'no room in the file' },
  '6A86': { name: 'bad_p1p2', meaning: 'bad P1 or P2' },
  '6A88': { name: 'key_missing', meaning: 'key or data not found' },
  '6B00': { name: 'bad_offset', meaning: 'offset outside the file' },
  '6D00': { name: 'bad_ins', meaning: 'instruction not supported' },
  '6E00': { name: 'bad_cla', meaning: 'class not supported' },
  '6F00': { name: 'internal', meaning: 'internal error' },
  9301: { name: 'insufficient_old', meaning: 'insufficient amount (older lists)' },
  9302: { name: 'mac_wrong', meaning: 'MAC wrong' },
  9303: { name: 'locked_for_ever', meaning: 'application permanently locked' },
  9401: { name: 'insufficient', meaning: 'the amount exceeds the balance' },
  9402: { name: 'counter_max', meaning: 'transaction counter at its maximum' },
  9403: { name: 'key_index', meaning: 'key index not supported' },
  9406: { name: 'no_proof', meaning: 'the requested MAC and TAC are not available' }
}

export const swText = (sw: number): string => sw.toString(16).toUpperCase().padStart(4, '0')

export function describeStatus (sw: number): string {
  const text = swText(sw)
  const known = statusWords[text]
  if (known !== undefined) return `${text} ${known.meaning}`
  const low = sw & 0xff
  if (sw >> 8 === 0x61) return `${text} ${low} bytes waiting`
  if (sw >> 8 === 0x6C) return `${text} wrong Le, ${low} bytes available`
  if (sw >> 4 === 0x63C) return `${text} authentication failed, ${sw & 0xf} tries left`
  return `${text} unknown status word`
}

export const isOk = (sw: number): boolean => sw === 0x9000
/** On SELECT these mean a locked application or card, whatever their name elsewhere. */
export const isLocked = (sw: number): boolean => [0x6A81, 0x6283, 0x6284, 0x9303].includes(sw)
