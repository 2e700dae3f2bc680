/** Runs first for `millrace work` with processes: starts the first of them. See bin/ and src/worker/process/early.ts. */
import { fileURLToPath } from 'node:url'
import { startEarly } from '../worker/process/early.ts'

/** The program that the worker processes of this command run, in the sources or as it was built. */
const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const file = fileURLToPath(new URL(`./worker-main.${ending}`, import.meta.url))
startEarly({ file, isMeasured: process.argv.some((arg) => /^--max-memory(=|$)/.test(arg)) })
