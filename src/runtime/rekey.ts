/**
 * `mill.rekey()`: seals what is stored anew under the active key, in small steps beside everything else.
 *
 * A pass walks all jobs by id and notes after each page how far it came, so that a stopped or killed one goes on from there. A
 * running job is passed over, since its lease guards its row; and a job may have ended under an old key behind the walk. So
 * passes are repeated from the start until one finds nothing more to seal, and what runs then is looked at once more. Doing
 * it twice, or in two processes at once, changes nothing that is sealed already.
 */
import type { Codec } from '../codec/codec.ts'
import type { KeyRing } from '../codec/key-ring.ts'
import { rekeyRow } from '../codec/rekey.ts'
import { ConfigError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { Store } from '../store/contract/index.ts'

/** How a rekeying is told and stopped. */
export interface RekeyOptions {
  /** Stops after the page under way; the next call goes on from there. */
  readonly signal?: AbortSignal
  /** Called after each page. */
  readonly onProgress?: (progress: RekeyProgress) => void
}

/** How far a rekeying came in this call. */
export interface RekeyProgress {
  /** Jobs that were looked at. */
  readonly visited: number
  /** Jobs of which something was sealed anew. */
  readonly rewritten: number
}

/** What a rekeying did and what it left. */
export interface RekeyReport extends RekeyProgress {
  /** The key that seals. */
  readonly kid: string
  /** Jobs with a part that does not open with the key it names; left as they are. */
  readonly unreadable: number
  /** Keys that the ring does not have, and how many jobs need each; their jobs are left as they are. */
  readonly missingKeys: Readonly<Record<string, number>>
  /** Running jobs with a part under an earlier key. */
  readonly running: number
  /** Nothing that opens is under an earlier key or in the clear: earlier keys can be taken away, but for the sake of backups. */
  readonly isComplete: boolean
}

const STATE_KEY = 'rekey'
const PAGE = 100

interface Tally {
  visited: number
  rewritten: number
  unreadable: number
  readonly missingKeys: Map<string, number>
}

/** See `Millrace.rekey`. */
export async function rekeyStore(
  store: Store,
  codec: Codec,
  keys: KeyRing | undefined,
  options: RekeyOptions,
): Promise<RekeyReport> {
  checkOptions(options, ['signal', 'onProgress'], 'rekey')
  if (keys === undefined) {
    throw new ConfigError('CONFIG_INVALID', 'there are no keys to seal with', {
      fields: { option: 'codec.keys' },
      hint: 'Open Millrace with codec: { keys }; see docs/encryption.md.',
    })
  }
  const kid = keys.active
  const total: Tally = { visited: 0, rewritten: 0, unreadable: 0, missingKeys: new Map() }
  let cursor = await savedCursor(store, kid)
  for (;;) {
    const isWhole = cursor === null
    const pass: Tally = { visited: 0, rewritten: 0, unreadable: 0, missingKeys: new Map() }
    const isAtEnd = await walk(store, codec, kid, cursor, pass, options, total)
    total.unreadable = pass.unreadable
    total.missingKeys.clear()
    for (const [missing, count] of pass.missingKeys) total.missingKeys.set(missing, count)
    if (!isAtEnd) return report(kid, total, 0, false)
    cursor = null
    if (isWhole && pass.rewritten === 0) break
  }
  const running = await runningUnderOthers(store, codec)
  return report(kid, total, running, running === 0 && total.missingKeys.size === 0)
}

/** One pass from the cursor; false when it was stopped before the end. */
async function walk(
  store: Store,
  codec: Codec,
  kid: string,
  from: string | null,
  pass: Tally,
  { signal, onProgress }: RekeyOptions,
  total: Tally,
): Promise<boolean> {
  for (let cursor = from; ; ) {
    if (signal?.aborted) return false
    const page = await store.jobs.reseal(cursor, PAGE, async (row) => {
      const { changed, unreadable, missingKids } = await rekeyRow(codec, row)
      if (unreadable.length > 0) pass.unreadable++
      for (const missing of missingKids) pass.missingKeys.set(missing, (pass.missingKeys.get(missing) ?? 0) + 1)
      return changed
    })
    pass.visited += page.visited
    pass.rewritten += page.rewritten
    total.visited += page.visited
    total.rewritten += page.rewritten
    if (page.rewritten > 0 || page.next === null) await saveCursor(store, kid, page.next)
    onProgress?.({ visited: total.visited, rewritten: total.rewritten })
    if (page.next === null) return true
    cursor = page.next
    // A pass over what is sealed already would otherwise hold the loop from one page to the next.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function runningUnderOthers(store: Store, codec: Codec): Promise<number> {
  let count = 0
  for (let cursor: string | undefined; ; ) {
    const page = await store.jobs.list({
      filter: { states: ['processing'] },
      limit: 200,
      ...(cursor !== undefined && { cursor }),
    })
    for (const row of page.rows) {
      const checkpoint = await store.jobs.checkpoint(row.id)
      const sealed = [row.payload, row.error, row.progressNote, checkpoint, ...row.history.map(({ error }) => error)]
      if (sealed.some((bytes) => bytes !== null && codec.needsRekey(bytes))) count++
    }
    cursor = page.next
    if (cursor === undefined) return count
  }
}

/** Where an earlier call for the same key stopped; null: at the start. */
async function savedCursor(store: Store, kid: string): Promise<string | null> {
  const saved = await store.state.get(STATE_KEY)
  if (saved === null) return null
  const value: unknown = JSON.parse(saved.value)
  if (typeof value !== 'object' || value === null || !('kid' in value) || value.kid !== kid) return null
  return 'cursor' in value && typeof value.cursor === 'string' ? value.cursor : null
}

/** A conflict means that another process rekeys too: whichever note stands, going on from it is right. */
async function saveCursor(store: Store, kid: string, cursor: string | null): Promise<void> {
  const known = await store.state.get(STATE_KEY)
  await store.state.put(STATE_KEY, JSON.stringify({ kid, cursor }), known?.version ?? null)
}

function report(kid: string, tally: Tally, running: number, isComplete: boolean): RekeyReport {
  const { visited, rewritten, unreadable, missingKeys } = tally
  return { kid, visited, rewritten, unreadable, missingKeys: Object.fromEntries(missingKeys), running, isComplete }
}
