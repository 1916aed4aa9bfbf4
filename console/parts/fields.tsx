// Fields of forms, each with its label: the browser's own elements, which every keyboard and reader knows.
import { useId, type ReactNode } from 'react'
import { useWords } from '../words/words.tsx'

type Named = { readonly label: string, readonly value: string, readonly onChange: (value: string) => void }

export function TextField ({ label, value, onChange, type = 'text', autoComplete = 'off' }: Named & {
  readonly type?: 'text' | 'password' | 'date' | 'datetime-local' | 'number', readonly autoComplete?: string
}) {
  const id = useId()
  return (
    <div className='field'>
      <label htmlFor={id}>{label}</label>
      <input
        id={id} type={type} value={value} autoComplete={autoComplete}
        onChange={event => onChange(event.target.value)}
      />
    </div>
  )
}

export function LongField ({ label, value, onChange, lengthMax = 500 }: Named & {
  readonly lengthMax?: number
}) {
  const id = useId()
  return (
    <div className='field'>
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id} rows={3} value={value} maxLength={lengthMax} onChange={event => onChange(event.target.value)}
      />
    </div>
  )
}

/** A file of the visitor's own, as text. */
export function FileField ({ label, accept, take }: {
  readonly label: string, readonly accept: string, readonly take: (text: string, name: string) => void
}) {
  const id = useId()
  return (
    <div className='field'>
      <label htmlFor={id}>{label}</label>
      <input
        id={id} type='file' accept={accept}
        onChange={event => {
          const file = event.target.files?.[0]
          void file?.text().then(text => take(text, file.name))
        }}
      />
    </div>
  )
}

/** `any`: the word for not choosing; absent: something is always chosen. */
export function Choice ({ label, value, onChange, options, any }: Named & {
  readonly options: readonly (readonly [value: string, label: string])[], readonly any?: string
}) {
  const id = useId()
  return (
    <div className='field'>
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={event => onChange(event.target.value)}>
        {any !== undefined && <option value=''>{any}</option>}
        {options.map(([each, name]) => <option key={each} value={each}>{name}</option>)}
      </select>
    </div>
  )
}

/** A row of fields above a list. */
export function Filter ({ children }: { readonly children: ReactNode }) {
  const { words } = useWords()
  return <div className='filter' role='search' aria-label={words.find}>{children}</div>
}
