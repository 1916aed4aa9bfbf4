// Entry of the worker thread: the loader for TypeScript does not reach worker threads by itself on Node 20.
import { register } from 'tsx/esm/api'

register()
await import('./tac-worker.ts')
