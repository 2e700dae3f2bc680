/**
 * Runs once before all tests: the package's code as it is published, made of these sources, so that the many processes that tests
 * start load a few files instead of a hundred, as users' processes do. Where it stands is in MILLRACE_TEST_PACKAGE. Beside it Node keeps
 * what it has compiled, so that only the first process of a kind strips types and compiles: the others start in a third of the time.
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { bundle } from '../scripts/bundle.ts'

const ROOT = resolve(import.meta.dirname, '..')

/** Makes it, and returns what takes it away. */
export default async function setup(): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-package-'))
  // Tests run it as other users, too.
  chmodSync(folder, 0o755)
  await bundle(join(folder, 'dist'))
  mkdirSync(join(folder, 'bin'))
  copyFileSync(join(ROOT, 'bin/millrace.js'), join(folder, 'bin/millrace.js'))
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  process.env.MILLRACE_TEST_PACKAGE = folder
  // Figures are taken without that: users' processes have no such cache.
  if (!process.env.MILLRACE_LONG) process.env.NODE_COMPILE_CACHE ??= join(folder, 'compiled')
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
