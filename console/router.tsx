// Addresses inside the console: which one is shown, how to go to another, and links that do so.
import { useEffect, useState, type MouseEvent, type ReactNode } from 'react'

/** Of the console, or of the residents' portal: each page says where it stands. */
const base = document.documentElement.dataset['base'] ?? '/console'
const moved = 'console-moved'

/** The address below the console, `/` first: its path in pieces, and its query. */
export type Address = { readonly pieces: readonly string[], readonly query: URLSearchParams }

export function useAddress (): Address {
  const [href, setHref] = useState(location.href)
  useEffect(() => {
    const look = () => setHref(location.href)
    addEventListener('popstate', look)
    addEventListener(moved, look)
    return () => {
      removeEventListener('popstate', look)
      removeEventListener(moved, look)
    }
  }, [])
  return addressOf(new URL(href))
}

const addressOf = ({ pathname, searchParams }: URL): Address => ({
  pieces: pathname.slice(base.length).split('/').filter(piece => piece !== '').map(decoded),
  query: searchParams
})

/** As it stands where it is not encoded rightly: somebody typed it. */
function decoded (piece: string): string {
  try {
    return decodeURIComponent(piece)
  } catch (error) {
    if (error instanceof URIError) return piece
    throw error
  }
}

export function go (to: string): void {
  history.pushState(null, '', base + to)
  dispatchEvent(new Event(moved))
  scrollTo(0, 0)
}

/** A true link: it can be opened in another tab, and is reached by keyboard. */
export function Link ({ to, children }: { readonly to: string, readonly children: ReactNode }) {
  const follow = (event: MouseEvent) => {
    const wantsElsewhere = event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey
    if (event.defaultPrevented || wantsElsewhere) return
    event.preventDefault()
    go(to)
  }
  return <a href={base + to} onClick={follow}>{children}</a>
}

/** Pieces put together as an address, whatever stands in them. */
export const to = (...pieces: readonly string[]): string =>
  '/' + pieces.map(piece => encodeURIComponent(piece)).join('/')
