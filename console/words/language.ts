// Which language is spoken, kept in the browser: zh unless somebody chose otherwise.
export type Language = 'zh' | 'en'

const place = 'citizen-card.language'

export const keptLanguage = (): Language => localStorage.getItem(place) === 'en' ? 'en' : 'zh'

export function keepLanguage (language: Language): void {
  localStorage.setItem(place, language)
}
