// What a command to a chip is called, by its first bytes. It refuses to know what stands behind them.

/** The longest that fits counts. */
const names: Readonly<Record<string, string>> = {
  '00A4': 'SELECT', '00B0': 'READ BINARY', '00B2': 'READ RECORD', '0084': 'GET CHALLENGE',
  '00C0': 'GET RESPONSE', '0020': 'VERIFY', '805C': 'GET BALANCE', '805A': 'GET TRANSACTION PROVE',
  805000: 'INITIALIZE FOR LOAD', 805001: 'INITIALIZE FOR PURCHASE',
  805003: 'INITIALIZE FOR COMPOSITE PURCHASE', 8052: 'CREDIT FOR LOAD',
  8054: 'DEBIT FOR PURCHASE', '80DC': 'UPDATE CAPP DATA CACHE', 8070: 'INIT SAM FOR PURCHASE',
  8072: 'CREDIT SAM FOR PURCHASE', '841E': 'APPLICATION BLOCK', 8418: 'APPLICATION UNBLOCK'
}

/** `80500102 INITIALIZE FOR PURCHASE (17 bytes)`; `command`: hex. */
export function commandName (command: string): string {
  const known = Object.keys(names).filter(bytes => command.startsWith(bytes))
    .sort((one, other) => other.length - one.length)[0]
  const name = known === undefined ? '' : ` ${names[known] ?? ''}`
  return `${command.slice(0, 8)}${name} (${command.length / 2} bytes)`
}
