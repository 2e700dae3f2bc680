/** What was sealed in one store opens in the other, with the same keys and with no others. */
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { copyStore } from '../../src/cli/copy-store.ts'
import { createKeyRing, defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { borrowedStoreUrl, describeOn, SERVER_KINDS } from '../support/servers.ts'
import { tempStoreUrl } from '../support/temp-store.ts'

/** What stands in the clear in what was compressed, too: it does not get much smaller. */
const NOISE = randomBytes(60_000).toString('base64')
/** Longer than texts that are stored as they are (`compressAbove`). */
const INPUT = { noise: NOISE, text: 'as it was '.repeat(5_000) }
const reverse = defineJob({
  name: 'reverse',
  run: ({ noise, text }: typeof INPUT) => ({ noise: [...noise].reverse().join(''), length: text.length }),
})
const RESULT = { noise: [...NOISE].reverse().join(''), length: INPUT.text.length }

into('sqlite', async () => tempStoreUrl())
for (const kind of SERVER_KINDS) await describeOn(kind, (server) => into(kind, () => borrowedStoreUrl(server)))

function into(kind: string, fresh: () => Promise<string>): void {
  it(`${kind}: results open where they were copied to, and jobs that had not begun run there, with the same key ring`, async () => {
    const keys = createKeyRing({ active: 'k1', keys: { k1: randomBytes(32) } })
    const codec = { keys, requireEncryption: true }
    const source = await openMill({ store: tempStoreUrl(), codec })
    const done = await source.enqueue(reverse, INPUT)
    await source.work([reverse], { drain: true }).done
    const waiting = await source.enqueue(reverse, INPUT)
    const url = await fresh()
    const target = await openMill({ store: url, codec })

    const report = await copyStore(source.store, target.store)

    expect(report).toMatchObject({ isComplete: true })
    const [there, here] = [await target.store.jobs.get(done.id), await source.store.jobs.get(done.id)]
    for (const field of ['payload', 'result'] as const) {
      expect(Buffer.from(there?.[field] ?? []).equals(here?.[field] ?? Buffer.of(1)), field).toBe(true)
    }
    // It was compressed: the sealed bytes are fewer than the text.
    expect(there?.payload.byteLength).toBeLessThan(JSON.stringify(INPUT).length - 40_000)
    expect(Buffer.from(there?.payload ?? []).includes(NOISE.slice(0, 40))).toBe(false)
    expect(await target.result(done.id)).toEqual(RESULT)
    await target.work([reverse], { drain: true }).done
    expect(await target.result(waiting.id)).toEqual(RESULT)
    expect(await target.get(waiting.id)).toMatchObject({ state: 'completed', input: INPUT })

    const others = createKeyRing({ active: 'k1', keys: { k1: randomBytes(32) } })
    const stranger = await openMill({ store: url, codec: { keys: others } })
    await expect(stranger.result(done.id)).rejects.toMatchObject({ code: 'PAYLOAD_UNREADABLE' })
  }, 60_000)
}
