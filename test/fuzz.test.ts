// A thousand cases for each decoder; `npm run bench -- fuzz` has a million. And that the fuzzing itself finds
// what it looks for.
import t from 'tap'
import { codecs, fuzz } from '../bench/fuzz.ts'

for (const codec of codecs) {
  t.test(codec.name, async t => {
    for (const sample of codec.samples) codec.read(sample)
    t.doesNotThrow(() => fuzz(codec, 1_000, 20_260_302))
  })
}

t.test('a decoder that throws or says no place is found', async t => {
  const samples = [Uint8Array.of(1, 2, 3)]
  const reads = {
    throws: (bytes: Uint8Array) => {
      if (bytes[0] === 7) throw new TypeError('seven')
      return []
    },
    vague: () => ['something is wrong']
  }
  for (const [name, read] of Object.entries(reads)) {
    t.throws(() => fuzz({ name, samples, read }, 20_000, 1), /Property failed/, name)
  }
})
