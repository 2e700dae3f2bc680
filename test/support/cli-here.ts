/**
 * The command line run in this process: the same code as `millrace ARGS`, without the start of a process. For commands that
 * load no handlers and take no signals; whole processes are run by `runIn`.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { main } from '../../src/cli/main.ts'
import type { Ran } from './app-folder.ts'

/** Runs the command with the folder's configuration, else its store, unless the arguments name others. */
export async function cliHere(folder: string, args: readonly string[]): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []]
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((...parts) => void out.push(`${parts.join(' ')}\n`)),
    vi.spyOn(console, 'error').mockImplementation((...parts) => void err.push(`${parts.join(' ')}\n`)),
  ]
  const config = join(folder, 'millrace.config.ts')
  const named = [
    ...(args.includes('--store') || existsSync(config) ? [] : ['--store', `sqlite:${join(folder, 'millrace.db')}`]),
    ...(args.includes('--config') || !existsSync(config) ? [] : ['--config', config]),
  ]
  try {
    return { code: await main([...args, ...named]), stdout: out.join(''), stderr: err.join('') }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}
