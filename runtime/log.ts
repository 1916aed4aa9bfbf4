// JSON lines on standard error, with card numbers masked and secrets left out whoever writes them.
// Standard output stays free for what a program answers.

import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger
export type LogOptions = { level?: string, destination?: DestinationStream }

/**
 * A logger that writes from `level` up (LOG_LEVEL, or info): fatal, error, warn, info, debug, trace, silent.
 * Writing is synchronous: the last line before a crash is the one that is wanted.
 */
export function createLog (name: string, options: LogOptions = {}): Log {
  const level = options.level ?? process.env['LOG_LEVEL'] ?? 'info'
  return pino({
    name,
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    redact: { paths: redacted, censor },
    hooks: { streamWrite: maskCards }
  }, options.destination ?? pino.destination({ fd: 2, sync: true }))
}

/** First six and last four digits; the rest, and anything too short to hide in, as asterisks. */
export function maskCard (cardNo: string): string {
  if (cardNo.length <= 10) return '*'.repeat(cardNo.length)
  return cardNo.slice(0, 6) + '*'.repeat(cardNo.length - 10) + cardNo.slice(-4)
}

/**
 * Card numbers wherever they stand in a text, in a path or in the words of an error: of an issuer the first
 * six digits stay, of a serial the first six and the last four.
 */
export const maskCards = (text: string): string => text
  .replace(/\b([0-9A-F]{6})[0-9A-F]{10}-(?=[0-9A-F]{20}-\d)/gi, '$1…-')
  .replace(/(?<![0-9A-F])([0-9A-F]{6})[0-9A-F]{10}([0-9A-F]{4})(?![0-9A-F])/gi, '$1…$2')

const cardNames = ['cardNo', 'cardNumber', 'pan', 'card']
const secretNames = [
  'password', 'secret', 'token', 'key', 'keys', 'pin', 'pinBlock', 'masterKey', 'sessionKey', 'privateKey',
  'authorization', 'cookie', 'idNumber'
]

/** pino redacts by path; three levels reach `{ request: { headers: { authorization } } }`. */
const redacted = [...cardNames, ...secretNames].flatMap(name => [name, `*.${name}`, `*.*.${name}`])

const censor = (value: unknown, path: string[]): unknown => {
  const name = path[path.length - 1]
  if (name === undefined || !cardNames.includes(name)) return '[hidden]'
  return typeof value === 'string' ? maskCard(value) : value
}
