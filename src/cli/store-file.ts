/** Whether a store's file is there: to open one that is not would make it. */
import { access } from 'node:fs/promises'
import type { Store } from '../store/contract/index.ts'

/** True when the store is a file that does not exist; false for one that does, and for stores that are no file. */
export async function lacksFile({ file }: Store): Promise<boolean> {
  if (file === null) return false
  return await access(file).then(
    () => false,
    () => true,
  )
}
