/** Prints "<passed> <failed>" of a test run: `node scripts/test-counts.ts <vitest's JSON> <exit code>`. For .ci/run. */
import { readFileSync } from 'node:fs'
import { countTests } from './counts.ts'

const [, , file = '', exitCode = '1'] = process.argv
console.log(Object.values(countTests(readText(file), Number(exitCode))).join(' '))

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    console.error(`no result of the tests: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}
