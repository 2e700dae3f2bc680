import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { launch } from './launch.ts'

/** What this process has open; not every system has /proc. */
const OPEN = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd'

test('a process that cannot be started leaves no descriptor behind', () => {
  // No system takes an environment with a zero byte in it.
  const program = { file: 'worker.mjs', env: { BAD: 'a\0b' } }
  const before = readdirSync(OPEN).length

  for (let i = 0; i < 5; i++) expect(() => launch(program, `test-${i}`)).toThrow()

  expect(readdirSync(OPEN)).toHaveLength(before)
})

test.each([
  [true, undefined, '131072'],
  [true, '4096', '4096'],
  [false, undefined, undefined],
])(
  'with a memory limit (%s) and MALLOC_MMAP_THRESHOLD_ %s in the environment a process has it as %s',
  async (isMeasured, own, had) => {
    if (own !== undefined) vi.stubEnv('MALLOC_MMAP_THRESHOLD_', own)
    onTestFinished(() => void vi.unstubAllEnvs())
    const folder = mkdtempSync(join(tmpdir(), 'millrace-launch-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'worker.mjs')
    writeFileSync(file, 'process.send({ had: process.env.MALLOC_MMAP_THRESHOLD_ }); process.disconnect()')

    const { child, list } = launch({ file, isMeasured }, 'test')
    onTestFinished(() => list.close())

    expect((await once(child, 'message'))[0]).toEqual(had === undefined ? {} : { had })
    await once(child, 'exit')
  },
)
