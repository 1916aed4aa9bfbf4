// People at a real browser: headless Chromium of the machine, one for all, a window with its own cookies for
// each person. What the browser complains of (policy, scripts, missing files) is kept and must be nothing.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { password, startDoors, type Door } from './ledger-http.ts'

export const browserPath = '/usr/bin/chromium'
export const hasBrowser = existsSync(browserPath)

export type Window = {
  readonly page: Page
  /** What the browser complained of, refusals by the ledger aside. */
  readonly complaints: () => string[]
  readonly close: () => Promise<void>
}

/** As root a browser has no box of its own to sit in; it sees nothing but our ledger here. */
export const startBrowser = async (): Promise<Browser> =>
  await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-gpu'] })

/** What each file of pages begins with: a place for cities, one browser, and why there is none. */
export async function openStage (t: Test) {
  t.setTimeout(300_000)
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const browser = hasBrowser ? await startBrowser() : null
  t.teardown(() => browser?.close())
  return { doors, browser, skip: hasBrowser ? false : 'no chromium on this machine: npm test installs it' }
}

export async function openWindow (
  browser: Browser | null, door: Door, path = '/console/'
): Promise<Window> {
  if (browser === null) throw new Error('there is no browser on this machine')
  // Times are the city's wherever somebody sits.
  const elsewhere = { viewport: { width: 1_366, height: 900 }, timezoneId: 'Europe/Lisbon' }
  const context = await browser.newContext(elsewhere)
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    // The browser tells of every 4xx by itself.
    const isRefusal = /Failed to load resource: the server responded with a status of 4/.test(message.text())
    if (['error', 'warning'].includes(message.type()) && !isRefusal) complaints.push(message.text())
  })
  await page.goto(door.url + path)
  return { page, complaints: () => complaints, close: () => context.close() }
}

/** By keyboard alone, from the top of the page: name, password, Enter. */
export async function signIn ({ page }: Window, name: string): Promise<void> {
  await tabTo(page, '用户名|Name')
  await page.keyboard.type(name)
  await page.keyboard.press('Tab')
  await page.keyboard.type(password)
  await page.keyboard.press('Enter')
  await page.getByRole('navigation').first().waitFor()
}

/** Presses Tab until what is named so has the focus. Throws where no key leads there. */
export async function tabTo (page: Page, name: string): Promise<void> {
  const wanted = new RegExp(`^(?:${name})$`)
  for (let presses = 0; presses < 150; presses++) {
    await page.keyboard.press('Tab')
    if (wanted.test(String(await page.evaluate(focusedName)))) return
  }
  throw new Error(`no key leads to ${name}`)
}

/** What a person would call the element that has the focus. */
const focusedName = `(() => {
  const one = document.activeElement
  if (one === null) return ''
  const label = one.labels?.[0]?.innerText
  return (one.getAttribute('aria-label') ?? label ?? one.innerText ?? '').trim()
})()`

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds to be a serious or critical barrier (WCAG 2.1 A and AA), in words. */
export async function barriers (page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(`axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations']
  })`) as { violations: { id: string, impact: string, nodes: { html: string, failureSummary: string }[] }[] }
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
      `${id}: ${html.slice(0, 160)} ${failureSummary}`))
}
