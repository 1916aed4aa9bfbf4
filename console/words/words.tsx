// The words and formats of the language that is spoken, for whatever part asks.
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import { formatsOf, type Formats } from '../format.ts'
import { en } from './en.ts'
import { keepLanguage, keptLanguage, type Language } from './language.ts'
import { zh, type Words } from './zh.ts'

type Spoken = {
  readonly language: Language
  readonly words: Words
  readonly format: Formats
  readonly choose: (language: Language) => void
}

const Context = createContext<Spoken | null>(null)

/** In the language that was chosen here last. */
export function WordsOf ({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(keptLanguage)
  const choose = useCallback((wanted: Language) => {
    keepLanguage(wanted)
    setLanguage(wanted)
  }, [])
  const spoken = useMemo(() =>
    ({ language, choose, words: language === 'zh' ? zh : en, format: formatsOf(language) }),
  [language, choose])
  useEffect(() => { document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en' }, [language])
  return <Context.Provider value={spoken}>{children}</Context.Provider>
}

export function useWords (): Spoken {
  const spoken = useContext(Context)
  if (spoken === null) throw new Error('no language is spoken here')
  return spoken
}
