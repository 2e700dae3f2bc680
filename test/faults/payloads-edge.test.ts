/** F-33: the edge of what a payload and a result may be, to the byte, on every store: the limit that holds by itself, and the highest. */
import { describe, expect, test } from 'vitest'
import { type CodecOptions, defineJob } from '../../src/index.ts'
import { describeOnEvery } from '../support/every-store.ts'
import { openMill } from '../support/mill.ts'
import { describeOnPrivate, freshStoreUrl } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { hashOf, noise } from './filling.ts'

type FreshUrl = () => Promise<string>

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const MIB = 2 ** 20
/** The quotation marks of a text. */
const MARKS = 2

/** A limit, and texts of so many bytes in JSON. */
interface Edge {
  readonly limit: string
  readonly bytes: number
  readonly codec: CodecOptions
  readonly texts: readonly Text[]
}

interface Text {
  readonly what: string
  readonly compress: 'gzip' | false
  readonly of: (bytes: number) => string
}

const repeated = (bytes: number) => 'x'.repeat(bytes - MARKS)
const mixed = (bytes: number) => noise(1, bytes - MARKS)
const wide = (bytes: number) => `${'ä'.repeat((bytes - MARKS) >> 1)}${bytes % 2 === 0 ? '' : 'a'}`
const CLEAR: Text = { what: 'hardly compresses, stored as it is,', compress: false, of: mixed }
const TEXTS: readonly Text[] = [
  { what: 'compresses to nothing', compress: 'gzip', of: repeated },
  { what: 'hardly compresses', compress: 'gzip', of: mixed },
  CLEAR,
  { what: 'has characters of two bytes', compress: false, of: wide },
]
/** What holds when nobody says otherwise. */
const DEFAULT: Edge = { limit: '1 MiB', bytes: MIB, codec: {}, texts: TEXTS }
/** The highest that can be set. To compress it takes seconds. */
const HIGHEST: Edge = {
  limit: '16 MiB',
  bytes: 16 * MIB,
  codec: { maxBytes: 16 * MIB, maxString: 16 * MIB },
  texts: LONG ? TEXTS : [CLEAR],
}
const TIMEOUT_MS = 240_000

describe('memory', () => {
  edges(DEFAULT, async () => 'memory:')
  edges(HIGHEST, async () => 'memory:')
})

await describeOnEvery(({ kind, freshUrl }) => {
  edges(DEFAULT, freshUrl)
  if (kind !== 'mysql') edges(HIGHEST, freshUrl)
})

// As docs/mysql.md says, for payloads of 16 MiB in the store.
await describeOnPrivate('mysql', (server) => edges(HIGHEST, () => freshStoreUrl(server, { deadline: '60s' })), [
  '--max-allowed-packet=64M',
])

/** A payload and a result of exactly so many bytes are taken and come back; one byte more is refused. */
function edges({ limit, bytes, codec, texts }: Edge, freshUrl: FreshUrl): void {
  test.each(texts)(
    `a text of ${limit} that $what is taken, and one byte more is PAYLOAD_TOO_LARGE`,
    async ({ compress, of }) => {
      const mill = await openMill({ store: await freshUrl(), codec: { ...codec, compress } })
      const [most, more] = [of(bytes), of(bytes + 1)]
      const seen: string[] = []
      const echoes = defineJob({
        name: 'echoes',
        retry: false,
        run: (input: string) => {
          seen.push(hashOf(input))
          return input === 'more' ? more : input
        },
      })
      const tooLarge = { code: 'PAYLOAD_TOO_LARGE', fields: { limit: 'bytes', max: bytes } }

      await expect(mill.enqueue(echoes, more)).rejects.toMatchObject(tooLarge)
      await expect(mill.enqueueMany(echoes, ['small', more])).rejects.toMatchObject(tooLarge)
      expect(await mill.count()).toMatchObject({ count: 0 })
      const alone = await mill.enqueue(echoes, most)
      const many = await mill.enqueueMany(echoes, ['more', most])
      await mill.work([echoes], { drain: true }).done

      const hash = hashOf(most)
      expect(seen.toSorted()).toEqual([hash, hash, hashOf('more')].toSorted())
      for (const job of [alone, many[1]]) {
        const found = await mill.get(job?.id ?? '')
        expect([found?.state, hashOf(found?.input), hashOf(found?.result)]).toEqual(['completed', hash, hash])
      }
      const refused = await mill.get(many[0]?.id ?? '')
      expect([refused?.state, refused?.error?.code]).toEqual(['failed', 'PAYLOAD_TOO_LARGE'])
      tally({ jobs: 3, 'too large refused': 3 })
    },
    TIMEOUT_MS,
  )
}
