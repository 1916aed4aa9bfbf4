// A state as a sign and a word: colour alone says nothing here.
export type Tone = 'good' | 'warn' | 'bad' | 'plain'
export const signs = { good: '✓', warn: '!', bad: '✕', plain: '•' } as const satisfies Record<Tone, string>

export function Mark ({ tone, children }: { readonly tone: Tone, readonly children: string }) {
  return <span className={`mark ${tone}`}><span aria-hidden='true'>{signs[tone]}</span> {children}</span>
}
