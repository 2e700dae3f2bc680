/**
 * Writes docs/life-cycle.md from the transition table, so that the page cannot differ from the code.
 * With `--check` nothing is written: it ends with 1 when the page is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TRANSITIONS } from '../src/core/job/state.ts'
import { lifecyclePage } from './lifecycle-page.ts'
import { finish, projectRoot } from './report.ts'

const path = join(projectRoot, 'docs', 'life-cycle.md')
const page = lifecyclePage(TRANSITIONS)
if (!process.argv.includes('--check')) writeFileSync(path, page)
else if (readIfThere(path) !== page) finish(['docs/life-cycle.md is stale: run `npm run generate` and commit it'])

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
