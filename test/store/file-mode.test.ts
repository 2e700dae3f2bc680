/** Q6 of the requirements: nobody but its owner reads a store's files, and nobody else can put others in their place. */
import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempDir, tempStorePath } from '../support/temp-store.ts'

const job = defineJob({ name: 'job', run: (_: number) => 'done' })

test('Q6: the file and those beside it are the owner’s alone, whatever the umask', async () => {
  const umask = process.umask(0)
  onTestFinished(() => {
    process.umask(umask)
  })
  const path = tempStorePath()
  const mill = await openMill({ store: `sqlite:${path}` })
  await mill.enqueue(job, 1)
  await mill.work([job], { drain: true }).done

  const modes = readdirSync(dirname(path)).map((name) => [name, statSync(join(dirname(path), name)).mode & 0o777])

  expect(modes).toEqual([
    ['millrace.db', 0o600],
    ['millrace.db-shm', 0o600],
    ['millrace.db-wal', 0o600],
  ])
})

test('Q6: a folder that every user may write to is refused, with what to do', async () => {
  const folder = join(tempDir(), 'open')
  mkdirSync(folder)
  chmodSync(folder, 0o777)

  await expect(Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })).rejects.toMatchObject({
    code: 'STORE_UNSAFE',
    hint: `Take the permission away: chmod o-w ${folder}`,
  })
  expect(readdirSync(folder)).toEqual([])
})

test('Q6: a folder where nobody can touch another’s files is accepted, as /tmp is', async () => {
  const folder = join(tempDir(), 'sticky')
  mkdirSync(folder)
  chmodSync(folder, 0o1777)

  const mill = await openMill({ store: `sqlite:${join(folder, 'millrace.db')}` })

  expect(await mill.count()).toEqual({ count: 0, capped: false })
})
