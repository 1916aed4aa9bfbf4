export type CardDescription = { profile: string }
export type CardReport = { balanceFen: number }
