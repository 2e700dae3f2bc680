/**
 * What ends the process groups of isolates when their worker is killed, and those of workers when their supervisor is: a shell that
 * waits for the end of its input, and does nothing else. Each of them notices by itself that its channel has closed, but not while
 * its handler blocks it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/** Keeps a list of groups as its input says, and kills those that are left at its end, or so many seconds after it. */
const SCRIPT = `wait=$1
trap '' TERM INT HUP QUIT
groups=
while read -r verb pid; do
  if [ "$verb" = + ]; then groups="$groups $pid"
  else
    rest=
    for each in $groups; do [ "$each" = "$pid" ] || rest="$rest $each"; done
    groups=$rest
  fi
done
while [ -n "$groups" ] && [ "$wait" -gt 0 ]; do
  sleep 1
  wait=$((wait - 1))
  rest=
  for each in $groups; do kill -s 0 -- "-$each" 2>/dev/null && rest="$rest $each"; done
  groups=$rest
done
for each in $groups; do kill -s KILL -- "-$each" 2>/dev/null; done`

/** One that ends sooner is not replaced at once. */
const LEAST_LIFE_MS = 1_000

type Spawn = (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess

/** Watches over the process groups of one worker, or of one node. */
export class Guard {
  readonly #waitSeconds: number
  readonly #spawn: Spawn
  readonly #groups = new Set<number>()
  #shell: ChildProcess | undefined
  #isClosed = false

  /** `waitSeconds`: for so long the groups may end by themselves before they are killed. */
  constructor(waitSeconds = 0, spawnShell: Spawn = spawn) {
    this.#waitSeconds = waitSeconds
    this.#spawn = spawnShell
  }

  /** From now on this group ends with the worker; where no shell can be started, from the next group's on. Never throws. */
  add(pid: number): void {
    // `kill -- -1` would end everybody, and `-0` ourselves.
    if (!(pid > 1)) return
    this.#groups.add(pid)
    if (this.#shell === undefined) this.#start()
    else this.#shell.stdin?.write(`+ ${pid}\n`)
  }

  /** This group has ended. */
  remove(pid: number): void {
    if (this.#groups.delete(pid)) this.#shell?.stdin?.write(`- ${pid}\n`)
  }

  /** Resolves when the shell has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    const shell = this.#shell
    if (shell === undefined || shell.exitCode !== null || shell.signalCode !== null) return
    await new Promise<void>((resolve) => {
      shell.once('exit', () => resolve())
      shell.once('error', () => resolve())
      shell.stdin?.end()
    })
  }

  #start(): void {
    const startedAt = performance.now()
    const shell = this.#started()
    // No shell, or no descriptor left for its input: isolates still end by their channel, and the next group tries again.
    if (shell?.pid === undefined) return
    this.#shell = shell
    // Its input breaks when it is killed; `exit` tells.
    shell.stdin?.on('error', () => {})
    shell.on('exit', () => {
      this.#shell = undefined
      // Another in its place at once; where it cannot live, with the next isolate.
      const mayLive = performance.now() - startedAt > LEAST_LIFE_MS
      if (!this.#isClosed && this.#groups.size > 0 && mayLive) this.#start()
    })
    for (const pid of this.#groups) shell.stdin?.write(`+ ${pid}\n`)
  }

  #started(): ChildProcess | undefined {
    try {
      const shell = this.#spawn('/bin/sh', ['-c', SCRIPT, 'millrace-guard', String(this.#waitSeconds)], {
        cwd: '/',
        detached: true,
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      // What could not be started says so later as well.
      shell.on('error', () => {})
      return shell
    } catch {
      // The system gives no process, no descriptor or no memory: that may pass.
      return undefined
    }
  }
}
