// What is told where a page has failed: nothing is left of it by then. In both languages, since it is not
// known which is spoken.
export function tellOfFault (place: HTMLElement, error: unknown): void {
  place.setAttribute('role', 'alert')
  place.textContent = '页面出错，请重新加载。 The page has failed: load it again.'
  reportError(error)
}
