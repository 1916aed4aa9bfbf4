// Where the page begins: finds its place in the document, and says so where the page itself has failed.
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { tellOfFault } from './fault.ts'
import './console.css'

const place = document.getElementById('console')
if (place === null) throw new Error('the document has no place for the console')

const onUncaughtError = (error: unknown) => queueMicrotask(() => tellOfFault(place, error))
createRoot(place, { onUncaughtError }).render(<App />)
