/** A fresh folder, and a fresh store in it, for one test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** An empty folder that is removed when the test that asked for it has finished. Call it inside a test. */
export function tempDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

/** The path of an SQLite store that does not exist yet, in a folder of its own that is removed after the test. */
export function tempStorePath(): string {
  return join(tempDir(), 'millrace.db')
}

/** The same as a URL. */
export function tempStoreUrl(): string {
  return `sqlite:${tempStorePath()}`
}
