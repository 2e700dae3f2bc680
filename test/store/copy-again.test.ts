/** What there is to do about a copy that differs: what the target lacks is copied by the next one, else the target is emptied. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { copyStore } from '../../src/cli/copy-store.ts'
import { unfinishedCopy } from '../../src/runtime/copy-note.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { databaseOf } from '../support/schema-of.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'
import { tempStorePath, tempStoreUrl } from '../support/temp-store.ts'
import { claimable, fillEachPart, job, opened } from './copy-stores.ts'

const PAGE = readFileSync(new URL('../../docs/moving.md', import.meta.url), 'utf8')

it('says which part differs when something wrote meanwhile, and does not copy over what the target has beyond it', async () => {
  const [source, target] = [await opened(tempStoreUrl()), await opened(tempStoreUrl())]
  await source.jobs.insert([job()])

  await copyWithoutLook(source, target)
  await target.queues.pause('q', 'eve', 'meanwhile')

  await expect(copyStore(source, target)).rejects.toMatchObject({ code: 'COPY_DIFFERS', fields: { part: 'queues' } })
  await expect(copyStore(source, target)).rejects.toMatchObject({ code: 'COPY_DIFFERS', fields: { part: 'queues' } })
  expect(await target.queues.list()).toMatchObject([{ name: 'q', pausedBy: 'eve' }])
})

into('sqlite', async () => {
  const path = tempStorePath()
  return { url: `sqlite:${path}`, empty: async () => void execFileSync('sh', ['-c', removal(path)]) }
})

for (const [kind, words] of [
  ['postgres', 'TRUNCATE'],
  ['mysql', 'DROP TABLE'],
] as const) {
  await describeOn(kind, (server) =>
    into(kind, async () => {
      const url = (await server.rolesOf(await freshStoreUrl(server))).migrator
      const empty = async () => {
        const database = await databaseOf(url)
        const statement = blockWith(words)
        expect([...statement.matchAll(/millrace[._](\w+)/g)].map(([, name]) => name).toSorted()).toEqual(
          tablesIn(await database.describe(url), kind),
        )
        await database.run(kind === 'mysql' ? statement : statement.replaceAll('millrace.', `"${schemaIn(url)}".`))
      }
      return { url, empty }
    }),
  )
}

/** The tables of a store that hold what was written, by name; on MySQL all of them. */
function tablesIn(description: readonly unknown[], kind: 'postgres' | 'mysql'): readonly string[] {
  const found = JSON.stringify(description).matchAll(/"table_name":"(?:millrace_)?(\w+)"/gi)
  const names = new Set([...found].map(([, name = '']) => name))
  if (kind === 'postgres') names.delete('schema')
  return [...names].toSorted()
}

function schemaIn(url: string): string {
  return new URL(url).searchParams.get('schema') ?? ''
}

interface Target {
  readonly url: string
  /** Empties it by what docs/moving.md says, which is run as it stands there but for its names. */
  readonly empty: () => Promise<void>
}

function into(kind: string, made: () => Promise<Target>): void {
  it(`${kind}: after a difference the next copy brings what the target lacks, nothing twice`, async () => {
    const source = await opened(tempStoreUrl())
    await fillEachPart(source)
    const target = await opened((await made()).url)
    const late = [
      job({ queue: 'late' }),
      job({ queue: 'late', unique: { scope: 's', key: 'late', onConflict: 'reject' } }),
    ]

    await copyWithoutLook(source, target)
    await source.jobs.insert(late)

    await expect(copyStore(source, target)).rejects.toMatchObject({
      code: 'COPY_DIFFERS',
      fields: { part: 'live' },
      hint: /run it again/,
    })
    expect(await unfinishedCopy(target)).toMatchObject({ part: 'live', cursor: null })
    const report = await copyStore(source, target)
    expect(report).toMatchObject({ isResumed: true, isComplete: true })
    expect(report.parts).toEqual((await copyStore(source, await opened(tempStoreUrl()))).parts)
    expect((await claimable(target, 10, 'late')).map(({ id }) => id)).toEqual(late.map(({ id }) => id))
    expect(await unfinishedCopy(target)).toBeNull()
  }, 60_000)

  it(`${kind}: what has changed since it was copied differs still, and is copied anew into the target once that is empty`, async () => {
    const source = await opened(tempStoreUrl())
    await fillEachPart(source)
    const moved = job({ queue: 'late' })
    await source.jobs.insert([moved])
    const { url, empty } = await made()
    const first = await createStore(url)
    await first.open()
    await first.migrate()

    await copyWithoutLook(source, first)
    await source.jobs.cancel([moved.id])

    await expect(copyStore(source, first)).rejects.toMatchObject({ code: 'COPY_DIFFERS', fields: { part: 'live' } })
    await expect(copyStore(source, first)).rejects.toMatchObject({
      code: 'COPY_DIFFERS',
      hint: /empty the target: docs/,
    })
    // Nowhere is it twice.
    expect((await first.jobs.list({ filter: { queues: ['late'] }, limit: 10 })).rows).toHaveLength(1)
    await first.close()
    await empty()
    const target = await opened(url)
    expect(await copyStore(source, target)).toMatchObject({ isResumed: false, isComplete: true })
    expect(await target.jobs.get(moved.id)).toMatchObject({ state: 'cancelled' })
  }, 60_000)
}

/** Copies everything, and stops before anything is compared. */
async function copyWithoutLook(source: Store, target: Store): Promise<void> {
  const stop = new AbortController()
  const onProgress = ({ part }: { readonly part: string }) => {
    if (part === 'remembered') stop.abort()
  }
  expect(await copyStore(source, target, { signal: stop.signal, onProgress })).toMatchObject({ isComplete: false })
  expect(await unfinishedCopy(target)).toMatchObject({ part: 'verify' })
}

/** The one code block of docs/moving.md that has these words. */
function blockWith(words: string): string {
  const blocks = [...PAGE.matchAll(/^ *```(?:sql|text)\n([\s\S]*?)^ *```$/gm)].map(([, code = '']) => code)
  const [block, ...others] = blocks.filter((code) => code.includes(words))
  if (block === undefined || others.length > 0) throw new Error(`docs/moving.md has not one block with ${words}`)
  return block.replace(/^ +/gm, '').trim()
}

function removal(path: string): string {
  const command = blockWith('rm ')
  expect(command).toContain('/srv/app/new.db')
  return command.replaceAll('/srv/app/new.db', path)
}
