export type PsamDescription = { profile: string }
export type PsamReport = { sequence: number }
