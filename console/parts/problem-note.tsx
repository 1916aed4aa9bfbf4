// A refusal in the language that is spoken, with what the ledger says of this very case.
import { requestReasons, type RequestReason } from '../../schemas/reasons.ts'
import type { CallError } from '../api/client.ts'
import { useWords } from '../words/words.tsx'
import { Note } from './note.tsx'
import { Said } from './values.tsx'

export function ProblemNote ({ error }: { readonly error: CallError | null }) {
  const { words, language } = useWords()
  if (error === null) return null
  const { problem } = error
  const known = problem !== null && problem.reason in requestReasons
    ? requestReasons[problem.reason as RequestReason][language]
    : problem?.title ?? words.problem.away
  return (
    <Note tone='bad'>
      <strong>{words.problem.heading}{words.colon}{known}</strong>
      {problem?.detail !== undefined && <p>{words.problem.says}{words.colon}<Said>{problem.detail}</Said></p>}
    </Note>
  )
}
