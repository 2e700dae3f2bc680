/** Whether a store's file is there: to open one that is not would make it. */
import { access } from 'node:fs/promises'
import { ConfigError } from '../core/errors.ts'
import type { Store } from '../store/contract/index.ts'

/**
 * True when the store is a file that does not exist; false for one that does, and for stores that are no file. Throws `STORE_URL`
 * where that cannot be seen.
 */
export async function lacksFile({ file }: Store): Promise<boolean> {
  if (file === null) return false
  try {
    await access(file)
    return false
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return true
    throw new ConfigError(
      'STORE_URL',
      `${file} cannot be looked at: ${cause instanceof Error ? cause.message : cause}`,
      {
        fields: { path: file },
        hint: 'Run this as a user who may read its folder.',
        cause,
      },
    )
  }
}
