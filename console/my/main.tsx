// Where the residents' page begins: its place in the document, and a word where the page itself has failed.
import { createRoot } from 'react-dom/client'
import { tellOfFault } from '../fault.ts'
import { Portal } from './portal.tsx'
import '../console.css'
import './my.css'

const place = document.getElementById('console')
if (place === null) throw new Error('the document has no place for the portal')

const onUncaughtError = (error: unknown) => queueMicrotask(() => tellOfFault(place, error))
createRoot(place, { onUncaughtError }).render(<Portal />)
