// One button that speaks the other language, labelled in that language.
import { Button } from './button.tsx'
import { useWords } from '../words/words.tsx'

export function LanguageSwitch () {
  const { language, choose } = useWords()
  const other = language === 'zh' ? 'en' : 'zh'
  return (
    <Button lang={other === 'zh' ? 'zh-CN' : 'en'} onClick={() => choose(other)}>
      {other === 'zh' ? '中文' : 'English'}
    </Button>
  )
}
