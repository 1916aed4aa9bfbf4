// Which page an address leads to, and the frame around it: menu, language, who is signed in.
import type { ReactNode } from 'react'
import type { OwnSession, PersonRole } from '../schemas/staff.ts'
import { AlertsPage } from './pages/alerts.tsx'
import { AuditPage } from './pages/audit.tsx'
import { BankPage } from './pages/bank.tsx'
import { BatchPage } from './pages/batch.tsx'
import { CallsPage } from './pages/calls.tsx'
import { CardPage } from './pages/card.tsx'
import { CardsPage } from './pages/cards.tsx'
import { CasesPage } from './pages/cases.tsx'
import { DayPage } from './pages/day.tsx'
import { DisputePage } from './pages/dispute.tsx'
import { DisputesPage } from './pages/disputes.tsx'
import { ExceptionsPage } from './pages/exceptions.tsx'
import { ExportsPage } from './pages/exports.tsx'
import { ApprovalsPage } from './pages/approvals.tsx'
import { PositionPage } from './pages/position.tsx'
import { PositionsPage } from './pages/positions.tsx'
import { RawLinePage } from './pages/raw-line.tsx'
import { ReconciliationPage } from './pages/reconciliation.tsx'
import { StatementPage } from './pages/statement.tsx'
import { SupervisionPage } from './pages/supervision.tsx'
import { TapesPage } from './pages/tapes.tsx'
import { TariffsPage } from './pages/tariffs.tsx'
import { TerminalPage } from './pages/terminal.tsx'
import { TerminalsPage } from './pages/terminals.tsx'
import { LanguageSwitch } from './parts/language-switch.tsx'
import { SignOut } from './parts/sign-out.tsx'
import { Link, useAddress, type Address } from './router.tsx'
import { useWords } from './words/words.tsx'
import type { Words } from './words/zh.ts'

type Row = {
  readonly name: keyof Words['pages']
  readonly path: string
  /** Whom the ledger answers there; absent: all staff. */
  readonly roles?: readonly PersonRole[]
}

const menu: readonly Row[] = [
  { name: 'days', path: '/' },
  { name: 'positions', path: '/positions' },
  { name: 'exceptions', path: '/exceptions' },
  { name: 'approvals', path: '/approvals' },
  { name: 'cards', path: '/cards' },
  { name: 'calls', path: '/calls', roles: ['hotline', 'clerk'] },
  { name: 'cases', path: '/cases', roles: ['clerk', 'hotline', 'approver', 'auditor'] },
  { name: 'supervision', path: '/supervision' },
  { name: 'disputes', path: '/disputes' },
  { name: 'reconciliation', path: '/reconciliation' },
  { name: 'bank', path: '/bank' },
  { name: 'terminals', path: '/terminals' },
  { name: 'tariffs', path: '/tariffs' },
  { name: 'alerts', path: '/alerts' },
  { name: 'audit', path: '/audit', roles: ['auditor', 'admin'] },
  { name: 'exports', path: '/exports' },
  { name: 'tapes', path: '/tapes', roles: ['registrar', 'auditor', 'admin'] }
]

export function Pages ({ who }: { readonly who: OwnSession }) {
  const address = useAddress()
  const { words } = useWords()
  const shown = menu.filter(({ roles }) =>
    roles === undefined || who.roles.some(role => roles.includes(role)))
  return (
    <div className='frame'>
      <a className='skip' href='#content'>{words.skip}</a>
      <header className='top'>
        <strong>{words.title}</strong>
        <LanguageSwitch />
        <span>
          {[who.name, ...who.roles.map(role => words.roles[role]), who.branch].filter(Boolean).join(' · ')}
        </span>
        <SignOut />
      </header>
      <nav className='menu' aria-label={words.menu}>
        <ul>
          {shown.map(({ name, path }) => (
            <li key={name} data-here={isHere(path, address)}><Link to={path}>{words.pages[name]}</Link></li>
          ))}
        </ul>
      </nav>
      <main id='content' key={keyOf(address)}>{pageAt(address)}</main>
    </div>
  )
}

/** What is behind the tabs of one card is still the page of that card. */
const keyOf = ({ pieces }: Address): string =>
  (pieces[0] === 'cards' ? pieces.slice(0, 2) : pieces).join('/')

const isHere = (path: string, { pieces: [first = 'days'] }: Address): boolean =>
  path === '/' ? first === 'days' : path === `/${first}`

function pageAt ({ pieces: [first = '', a = '', b = '', c = ''], query }: Address): ReactNode {
  switch (first) {
    case 'days': return <DayPage date={a === '' ? null : a} />
    case 'positions':
      if (c !== '') return <PositionPage date={a} party={b} book={c} />
      return <PositionsPage date={a === '' ? null : a} />
    case 'statements': return <StatementPage date={a} party={b} book={c} />
    case 'batches': return <BatchPage batch={a} party={query.get('party')} book={query.get('book')} />
    case 'lines': return <RawLinePage delivery={a} line={b} />
    case 'cards': return a === '' ? <CardsPage /> : <CardPage card={a} tab={b} />
    case 'calls': return <CallsPage />
    case 'cases': return <CasesPage />
    case 'supervision': return <SupervisionPage quarter={query.get('quarter') ?? ''} />
    case 'disputes': return a === '' ? <DisputesPage /> : <DisputePage id={a} />
    case 'alerts': return <AlertsPage />
    case 'exceptions': return <ExceptionsPage />
    case 'approvals': return <ApprovalsPage />
    case 'reconciliation': return <ReconciliationPage />
    case 'bank': return <BankPage />
    case 'terminals':
      return a === '' || b === '' ? <TerminalsPage /> : <TerminalPage operator={a} terminal={b} />
    case 'tariffs': return <TariffsPage />
    case 'audit': return <AuditPage />
    case 'tapes': return <TapesPage />
    case 'exports': return <ExportsPage />
    default: return <DayPage date={null} />
  }
}
