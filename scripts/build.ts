/** Builds the package into dist/, or into the folder given: its types as one file each, its code bundled. */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bundle } from './bundle.ts'
import { projectRoot } from './report.ts'

const into = resolve(process.argv[2] ?? join(projectRoot, 'dist'))

rmSync(into, { recursive: true, force: true })
const tsc = join(projectRoot, 'node_modules/typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', into], {
  cwd: projectRoot,
  stdio: 'inherit',
})
if (status === 0) await bundle(into)
else process.exitCode = 1
