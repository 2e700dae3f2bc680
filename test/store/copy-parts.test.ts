/** A copy whose process dies in any part, before or after the note of its page, goes on to the same end as one that was left alone. */
import { expect, it } from 'vitest'
import { copyStore } from '../../src/cli/copy-store.ts'
import { unfinishedCopy } from '../../src/runtime/copy-note.ts'
import { COPY_PARTS } from '../../src/store/contract/index.ts'
import { startChild } from '../support/child.ts'
import { borrowedStoreUrl, describeOn, SERVER_KINDS } from '../support/servers.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { COPIER, fillEachPart, opened } from './copy-stores.ts'

/** What a copy stands at when this part is done. */
const AFTER = new Map(COPY_PARTS.map((part, i) => [part, COPY_PARTS[i + 1] ?? 'verify']))

into('sqlite', async () => tempStoreUrl())
for (const kind of SERVER_KINDS) await describeOn(kind, (server) => into(kind, () => borrowedStoreUrl(server)))

function into(kind: string, fresh: () => Promise<string>): void {
  const moments = kind === 'sqlite' ? (['written', 'noted'] as const) : (['written'] as const)

  it.each(COPY_PARTS.flatMap((part) => moments.map((moment) => ({ part, moment }))))(
    `${kind}: killed when a page of $part was $moment, it goes on and is whole`,
    async ({ part, moment }) => {
      const [fromUrl, toUrl] = [tempStoreUrl(), await fresh()]
      const source = await opened(fromUrl)
      await fillEachPart(source)
      const alone = await copyStore(source, await opened(tempStoreUrl()))

      expect(await startChild(COPIER, [fromUrl, toUrl, part, moment]).ended).toMatchObject({ signal: 'SIGKILL' })
      const target = await opened(toUrl)
      expect(await unfinishedCopy(target)).toMatchObject({ part: moment === 'written' ? part : AFTER.get(part) })
      expect((await target.copy.read(part, null, 1)).items).toHaveLength(1)

      const resumed = await copyStore(source, target)

      expect(resumed).toEqual({ isResumed: true, isComplete: true, running: 0, parts: alone.parts })
      expect(resumed.parts.map(({ count }) => count)).not.toContain(0)
      expect(await unfinishedCopy(target)).toBeNull()
    },
    60_000,
  )
}
