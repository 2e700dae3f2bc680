/** Commands as they are typed: whole processes in an app's folder, or this process where no handlers are needed. */
import { expect } from 'vitest'
import { appFolder, type Ran, runIn } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { tempDir } from '../support/temp-store.ts'

/** Runs a line. */
export type RunLine = (line: string) => Promise<Ran>

/** Runs lines as whole processes in the folder of an app that `millrace init` has made. */
export async function app(): Promise<RunLine> {
  const folder = appFolder()
  const init = await runIn(folder, 'millrace init --yes')
  expect(init.code, init.stderr).toBe(0)
  return (line) => runIn(folder, line)
}

/** Runs lines in this process, in a folder without a configuration: for commands that need no handlers. */
export function here(): RunLine {
  const folder = tempDir()
  const words = (line: string) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
  return (line) => cliHere(folder, words(line).slice(1))
}

/** The id that a line prints, which has to end well. */
export async function idOf(run: RunLine, line: string): Promise<string> {
  const { code, stdout, stderr } = await run(line)
  expect(code, stderr).toBe(0)
  return stdout.trim()
}
