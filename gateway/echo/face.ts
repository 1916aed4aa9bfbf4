// Sends back what comes: an installer sees that a cable, its speed and its parity are right, and
// a bench what a port costs without a protocol. It refuses to know what the bytes mean.
import type { Face } from '../face.ts'

export function echoFace (): Face {
  const counts = { conversations: 0, bytes: 0 }
  return {
    begin: wire => {
      counts.conversations += 1
      return {
        bytes: bytes => {
          counts.bytes += bytes.length
          void wire.write(bytes)
        },
        ended: () => undefined
      }
    },
    view: () => ({ protocol: 'echo', counts: { ...counts } }),
    close: async () => undefined
  }
}
