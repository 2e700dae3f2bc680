/** An opened Millrace on a fresh store, closed when the test has finished. */
import { onTestFinished } from 'vitest'
import { Millrace } from '../../src/runtime/millrace.ts'
import type { OpenOptions } from '../../src/runtime/open-options.ts'
import { tempStoreUrl } from './temp-store.ts'

/** On SQLite unless `options.store` says otherwise. */
export async function openMill(options: OpenOptions = {}): Promise<Millrace> {
  const mill = await Millrace.open({ store: `${tempStoreUrl()}?durability=normal`, ...options })
  onTestFinished(() => mill.close())
  return mill
}
