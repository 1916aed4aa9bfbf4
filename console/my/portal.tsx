// What is above all pages of a resident: the language that is spoken, who is in, and the frame on a phone.
import type { ReactNode } from 'react'
import { LanguageSwitch } from '../parts/language-switch.tsx'
import { Link, useAddress, type Address } from '../router.tsx'
import { useWords, WordsOf } from '../words/words.tsx'
import { AccountPage } from './pages/account.tsx'
import { CardPage } from './pages/card.tsx'
import { CasesPage } from './pages/cases.tsx'
import { HomePage } from './pages/home.tsx'
import { ActivationPage, SignInPage } from './pages/sign-in.tsx'
import { ResidentDoor, useResident } from './session.tsx'
import { useMy } from './words.ts'

export function Portal () {
  return (
    <WordsOf>
      <ResidentDoor><Inside /></ResidentDoor>
    </WordsOf>
  )
}

function Inside () {
  const { who } = useResident()
  const address = useAddress()
  if (who === undefined) return <main className='alone' aria-busy='true' />
  if (who !== null) return <Frame address={address} />
  return address.pieces[0] === 'activate' ? <ActivationPage /> : <SignInPage />
}

const menu = [['cards', '/'], ['cases', '/cases'], ['account', '/account']] as const

function Frame ({ address }: { readonly address: Address }) {
  const { words } = useWords()
  const my = useMy()
  const here = address.pieces[0] ?? 'cards'
  return (
    <div className='frame'>
      <a className='skip' href='#content'>{words.skip}</a>
      <header className='top'><strong>{my.title}</strong><LanguageSwitch /></header>
      <nav className='menu' aria-label={words.menu}>
        <ul>
          {menu.map(([name, path]) => (
            <li key={name} data-here={here === name}><Link to={path}>{my.pages[name]}</Link></li>
          ))}
        </ul>
      </nav>
      <main id='content' key={address.pieces.slice(0, 2).join('/')}>{pageAt(address)}</main>
    </div>
  )
}

function pageAt ({ pieces: [first = '', a = '', b = ''] }: Address): ReactNode {
  switch (first) {
    case 'cards': return a === '' ? <HomePage /> : <CardPage card={a} tab={b} />
    case 'cases': return <CasesPage />
    case 'account': return <AccountPage />
    default: return <HomePage />
  }
}
