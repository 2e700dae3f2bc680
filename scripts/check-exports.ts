/**
 * Fails when the package, built as it will be published, does not hold what its `exports`, `bin` and `types` promise.
 * It is built in a folder of its own, so that nobody's dist/ disappears while the check runs.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import manifest from '../package.json' with { type: 'json' }
import { finish, projectRoot } from './report.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-exports-'))
try {
  finish(build(folder) ?? (await exportFaults(folder)))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function build(into: string): string[] | undefined {
  for (const path of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'bin']) {
    if (existsSync(join(projectRoot, path))) cpSync(join(projectRoot, path), join(into, path), { recursive: true })
  }
  const script = join(projectRoot, 'scripts/build.ts')
  const { status, stdout } = spawnSync(process.execPath, [script, join(into, 'dist')], {
    cwd: projectRoot,
    encoding: 'utf8',
  })
  return status === 0 ? undefined : [`the package does not build:\n${stdout}`]
}

async function exportFaults(pkgDir: string): Promise<string[]> {
  const { messages } = await publint({ pkgDir, pack: false, strict: true })
  return messages.map((message) => formatMessage(message, manifest, { color: false }) ?? message.code)
}
