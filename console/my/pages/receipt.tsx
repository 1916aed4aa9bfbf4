// The receipt of a use: asked for, checked in this page and taken away; and one that was taken away, checked
// again, where no network is needed.
import { useState, type ChangeEvent } from 'react'
import { useDeed } from '../../api/use-call.ts'
import { Button } from '../../parts/button.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { At } from '../../parts/values.tsx'
import { looks } from '../doors.ts'
import { keepAsFile } from '../keep-as-file.ts'
import { checkReceipt, type Checked } from '../receipt.ts'
import { useMy } from '../words.ts'

export function Receipt ({ card, counter }: { readonly card: string, readonly counter: number }) {
  const { receipt: words } = useMy()
  const doing = useDeed()
  const [checked, setChecked] = useState<Checked | null>(null)
  const take = async () => {
    const receipt = await looks.receipt(card, counter)
    const found = await checkReceipt(receipt)
    setChecked(found)
    if (found.ok) keepAsFile(`receipt-${counter}.json`, receipt)
  }
  return (
    <>
      <Button busy={doing.busy} onClick={() => { void doing.run(take) }}>{words.take}</Button>
      <ProblemNote error={doing.error} />
      <Verdict checked={checked} />
    </>
  )
}

export function ReceiptCheck () {
  const { receipt: words } = useMy()
  const [checked, setChecked] = useState<Checked | null>(null)
  const look = async ({ target }: ChangeEvent<HTMLInputElement>) => {
    const [file] = target.files ?? []
    target.value = '' // or the same file, changed meanwhile, would not be noticed
    setChecked(null)
    if (file !== undefined) setChecked(await checkReceipt(parsed(await file.text())))
  }
  return (
    <section className='part' aria-label={words.check}>
      <h2>{words.check}</h2>
      <p className='soft'>{words.checkWhy}</p>
      <label className='field'>
        <span>{words.file}</span>
        <input type='file' accept='application/json,.json' onChange={event => { void look(event) }} />
      </label>
      <Verdict checked={checked} />
    </section>
  )
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return null
  }
}

function Verdict ({ checked }: { readonly checked: Checked | null }) {
  const { receipt: words } = useMy()
  if (checked === null) return <p role='status' />
  if (!checked.ok) return <p role='status' className='fault'>{words.faults[checked.fault]}</p>
  return (
    <div role='status'>
      <p className='done'>{words.proven} <At iso={checked.at} /></p>
      <p className='soft'>{words.key(checked.keyId)}</p>
      {checked.texts.map(text => <code key={text} className='leaf'>{text}</code>)}
    </div>
  )
}
