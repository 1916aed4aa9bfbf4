// What a page has asked for and where that stands; a deed with its key; pages of a list by their places.
import { useCallback, useEffect, useRef, useState } from 'react'
import { CallError, type Page } from './client.ts'

export type Loaded<Reply> = {
  readonly data: Reply | null
  readonly error: CallError | null
  readonly busy: boolean
  readonly again: () => void
}

type Kept<Reply> = Omit<Loaded<Reply>, 'again'> & { readonly of: string }

/**
 * Asks when the page opens and whenever `about` changes. What comes late for something else is dropped; what
 * was there before is shown until the answer comes, and goes where that is a refusal.
 */
export function useLook<Reply> (ask: () => Promise<Reply>, about: string): Loaded<Reply> {
  const [state, setState] = useState<Kept<Reply>>({ data: null, error: null, busy: true, of: about })
  const turn = useRef(0)
  const again = useCallback(() => {
    const mine = ++turn.current
    const settle = (next: (before: Kept<Reply>) => Pick<Loaded<Reply>, 'data' | 'error'>) => {
      if (mine === turn.current) setState(before => ({ ...next(before), busy: false, of: about }))
    }
    setState(before => ({ ...before, busy: true }))
    ask().then(data => settle(() => ({ data, error: null })), (thrown: unknown) => {
      const error = asCallError(thrown)
      settle(({ data, of }) => ({ data: of === about ? data : null, error }))
    })
  }, [about])
  useEffect(again, [again])
  const { data, error, busy } = state
  return { data, error, busy, again }
}

export type Listed<Item> = Omit<Loaded<Page<Item>>, 'data'> & {
  readonly items: readonly Item[]
  readonly previous: (() => void) | null
  readonly next: (() => void) | null
}

const firstPlace: readonly (string | null)[] = [null]

/** One page of a list at a time; the way back is remembered here, since the ledger gives only the way on. */
export function useList<Item> (
  ask: (place: string | null) => Promise<Page<Item>>, about: string
): Listed<Item> {
  const [way, setWay] = useState({ about, places: firstPlace })
  // Of another list there is no way back: its places are forgotten in the moment that it is another.
  const places = way.about === about ? way.places : firstPlace
  const setPlaces = (wanted: readonly (string | null)[]) => setWay({ about, places: wanted })
  const place = places.at(-1) ?? null
  const { data, ...state } = useLook(async () => await ask(place), `${about} ${place ?? ''}`)
  const next = data?.next ?? null
  return {
    ...state,
    items: data?.items ?? [],
    previous: places.length === 1 ? null : () => setPlaces(places.slice(0, -1)),
    next: next === null ? null : () => setPlaces([...places, next])
  }
}

export type Doing = {
  readonly busy: boolean
  readonly error: CallError | null
  /** True when it was done. */
  readonly run: (deed: (key: string) => Promise<unknown>) => Promise<boolean>
  readonly forget: () => void
}

/**
 * A deed that somebody may try twice because no answer came: the key stays until the ledger has answered, so
 * that it happens once.
 */
export function useDeed (): Doing {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<CallError | null>(null)
  const key = useRef<string | null>(null)
  const run = useCallback(async (deed: (key: string) => Promise<unknown>) => {
    setBusy(true)
    setError(null)
    key.current ??= crypto.randomUUID()
    try {
      await deed(key.current)
      key.current = null
      return true
    } catch (thrown) {
      const failed = asCallError(thrown)
      if (failed.problem !== null && failed.problem.status < 500) key.current = null
      setError(failed)
      return false
    } finally {
      setBusy(false)
    }
  }, [])
  return { busy, error, run, forget: useCallback(() => setError(null), []) }
}

/** Anything else is a fault of the page and must be seen as such. */
function asCallError (error: unknown): CallError {
  if (error instanceof CallError) return error
  throw error
}
