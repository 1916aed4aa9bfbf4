// Where the page begins: finds its place in the document.
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import './console.css'

const place = document.getElementById('console')
if (place === null) throw new Error('the document has no place for the console')
createRoot(place).render(<App />)
