/** Writes the golden files that do not exist yet: `node test/codec/make-golden.ts`. Those that do are left alone. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCodec } from '../../src/codec/codec.ts'
import { GOLDEN_CASES } from './golden-cases.ts'

for (const { file, options, field, value } of GOLDEN_CASES) {
  const bytes = await createCodec(options).encode(field, value)
  try {
    writeFileSync(join(import.meta.dirname, 'golden', file), bytes, { flag: 'wx' })
    console.log(`${file}: ${bytes.length} bytes`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
