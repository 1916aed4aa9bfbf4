// Where the page begins: finds its place in the document, and says so where the page itself has failed.
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import './console.css'

const place = document.getElementById('console')
if (place === null) throw new Error('the document has no place for the console')

const onUncaughtError = (error: unknown) => queueMicrotask(() => tellOfFault(place, error))
createRoot(place, { onUncaughtError }).render(<App />)

/** Nothing is left of the page by then. In both languages, since it is not known which is spoken. */
function tellOfFault (place: HTMLElement, error: unknown): void {
  place.setAttribute('role', 'alert')
  place.textContent = '页面出错，请重新加载。 The page has failed: load it again.'
  reportError(error)
}
