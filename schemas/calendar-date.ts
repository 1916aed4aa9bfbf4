// Whether a text is a day of the calendar. The platform rolls the 30th of February over; here it is none.

/** A day as `2026-03-02`. */
export function isDate (text: string): boolean {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : new Date(NaN)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}
