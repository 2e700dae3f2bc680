/** A store that holds half a copy: nobody is let in to work there, and `doctor` says why. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { copyStore } from '../../src/cli/copy-store.ts'
import { defineJob } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'
import { openMill } from '../support/mill.ts'

const HANDLER = `import { defineJob } from 'millrace'
export default defineJob({ name: 'brief', run: async () => 'whole' })`

test('work and its processes refuse a half copy, doctor names it, and both are content once it is whole', async () => {
  const folder = appFolder()
  mkdirSync(join(folder, 'jobs'))
  writeFileSync(join(folder, 'jobs/brief.handler.mjs'), HANDLER)
  const config = (store: string) => `export default { store: '${store}', handlers: './jobs/*.handler.mjs' }`
  writeFileSync(join(folder, 'millrace.config.ts'), config('sqlite:./new.db'))
  const source = await openMill({ store: `sqlite:${join(folder, 'old.db')}` })
  const { id } = await source.enqueue(defineJob({ name: 'brief', run: async (_: number) => 'whole' }), 1)
  const target = await openMill({ store: `sqlite:${join(folder, 'new.db')}` })
  const stop = new AbortController()
  await copyStore(source.store, target.store, { signal: stop.signal, onProgress: () => stop.abort() })
  const run = (line: string) => runIn(folder, `millrace ${line}`)

  for (const work of ['work --drain', 'work --processes 1']) {
    const refused = await run(work)
    expect(refused, work).toMatchObject({ code: 3 })
    expect(refused.stderr, work).toContain('COPY_UNFINISHED')
    expect(refused.stderr, work).toContain('store copy')
  }
  expect(await target.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
  const found = await run('doctor --json')
  expect(found).toMatchObject({ code: 7 })
  expect(JSON.parse(found.stdout).findings).toContainEqual({
    group: 'Store',
    level: 'problem',
    code: 'COPY_UNFINISHED',
    text: expect.stringContaining('old.db'),
    fix: expect.stringContaining('millrace store copy'),
  })

  expect(await run('store copy --from sqlite:./old.db --to sqlite:./new.db')).toMatchObject({ code: 0 })
  expect((await run('doctor')).stdout).not.toContain('COPY_UNFINISHED')
  expect(await run('work --drain')).toMatchObject({ code: 0 })
  expect(await target.get(id)).toMatchObject({ state: 'completed' })
}, 120_000)
