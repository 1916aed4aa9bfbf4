// The layers of reconciliation in their order. The schema's own list comes with more than a browser can load.
import type { Layer } from '../schemas/reconciliation.ts'

export const layers = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'] as const satisfies readonly Layer[]
