/** Starting a worker process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { inheritedFlags } from '../node-flags.ts'
import { RunningListFile } from './running-list.ts'

/** What is started. */
export interface Program {
  /** The path of the module that a worker process runs. */
  readonly file: string
  readonly env?: Readonly<Record<string, string>>
  /** Its memory has a limit: what it frees goes back to the system at once, as far as the system lets us ask for that. */
  readonly isMeasured?: boolean
}

/**
 * The C library of most Linux systems keeps large blocks once they were freed, some for each thread: ten threads whose jobs held
 * nothing any more had kept 90 MB. Thresholds that are set, here to what they are at first, are not raised by it. Others ignore this.
 */
const GIVES_BACK = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' }

/** A process, and the list of what it begins. */
export interface Launched {
  readonly child: ChildProcess
  readonly list: RunningListFile
}

/**
 * Starts the program in a process group of its own: what a handler starts is ended with it, and a Ctrl-C at the terminal reaches
 * the supervisor only, which tells its workers. `--disable-sigusr1`: before any code of ours runs, that signal would open
 * the inspector.
 */
export function launch(program: Program, name: string): Launched {
  const list = new RunningListFile(listFolder(), `millrace-${process.pid}-${name}`)
  try {
    const child = spawn(process.execPath, [...inheritedFlags(process.execArgv), '--disable-sigusr1', program.file], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', list.fd],
      detached: true,
      env: { ...(program.isMeasured === true && GIVES_BACK), ...process.env, ...program.env },
    })
    return { child, list }
  } catch (error) {
    // It is tried again and again: each try would keep a descriptor.
    list.close()
    throw error
  }
}

/** Where the lists are kept: in memory if the system has a place for that, since they are written before each job. */
function listFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}
