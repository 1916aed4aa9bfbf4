// The words and formats of the language that is spoken, for whatever part asks.
import { createContext, useContext, useEffect, useMemo, type ReactNode } from 'react'
import { formatsOf, type Formats } from '../format.ts'
import { en } from './en.ts'
import type { Language } from './language.ts'
import { zh, type Words } from './zh.ts'

type Spoken = {
  readonly language: Language
  readonly words: Words
  readonly format: Formats
  readonly choose: (language: Language) => void
}

const Context = createContext<Spoken | null>(null)

export function WordsOf ({ language, choose, children }: Pick<Spoken, 'language' | 'choose'> & {
  readonly children: ReactNode
}) {
  const spoken = useMemo(() =>
    ({ language, choose, words: language === 'zh' ? zh : en, format: formatsOf(language) }), [language])
  useEffect(() => { document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en' }, [language])
  return <Context.Provider value={spoken}>{children}</Context.Provider>
}

export function useWords (): Spoken {
  const spoken = useContext(Context)
  if (spoken === null) throw new Error('no language is spoken here')
  return spoken
}
