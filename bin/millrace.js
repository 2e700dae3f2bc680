#!/usr/bin/env node
/*
 * The command `millrace`. Written for any Node from 14 on and importing nothing before the version is known to do: an older
 * Node gets one line instead of a stack trace. The commands themselves are in src/cli/.
 *
 * Early signals. `work` and `dev` take signals in an orderly way, but a signal can come before their code is loaded, and
 * SIGUSR1, SIGUSR2 and SIGHUP would then end the process. So the first thing done for them is to note signals:
 * `globalThis[Symbol.for('millrace.signals')]` is an array of the names that came, oldest first, with `release()`, which
 * takes these handlers off. Whoever takes over installs its own handlers, calls `release()` and acts on the array.
 * A second SIGINT or SIGTERM before that ends the process at once. For every other command Ctrl-C keeps its default.
 */
function firstWord(args) {
  for (let i = 0; i < args.length; i++) {
    if (['--store', '--config', '-c'].indexOf(args[i]) >= 0) i++
    else if (args[i][0] !== '-') return args[i]
  }
  return undefined
}

function noteSignals() {
  const names = ['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGUSR2', 'SIGHUP']
  const came = []
  function note(name) {
    const ends = name === 'SIGTERM' || name === 'SIGINT'
    if (ends && came.some((each) => each === 'SIGTERM' || each === 'SIGINT'))
      process.exit(name === 'SIGINT' ? 130 : 143)
    came.push(name)
  }
  const installed = names.filter((name) => {
    try {
      process.on(name, note)
      return true
    } catch {
      return false // This system has no such signal: nobody can send it.
    }
  })
  came.release = () => {
    for (const name of installed) process.removeListener(name, note)
  }
  globalThis[Symbol.for('millrace.signals')] = came
}

/*
 * Whoever may list the processes of a machine sees their arguments: a password that stands in one is taken out of the list
 * at once. Until Node had started it was there, so MILLRACE_STORE is where a password belongs.
 */
function hidePassword(args) {
  const shown = withoutPasswords(args)
  if (shown.join() !== args.join()) process.title = ['millrace', ...shown].join(' ')
}

function withoutPasswords(args) {
  return args.map((arg) => arg.replace(/:\/\/\S*@/, '://***@').replace(/([?&](ssl)?password=)[^&]*/gi, '$1***'))
}

// The same versions as "engines" in package.json: of each line the first whose SQLite is 3.51.3 or later. An older SQLite can
// damage a file that several processes share.
function missingVersion(version) {
  const [major, minor, patch] = version.split('.').map((part) => parseInt(part, 10))
  if (major === 22) return minor > 23 || (minor === 23 && patch >= 3) ? undefined : '22.23.3'
  if (major === 25) return minor >= 9 ? undefined : '25.9'
  return major > 25 || (major === 24 && minor >= 15) ? undefined : '24.15'
}

/** What asks for a supervisor with worker processes. */
const SUPERVISED = /^--(processes|watch|max-memory|max-age|stall-limit)(=|$)/

function start(args) {
  import('node:fs')
    .then(async ({ existsSync }) => {
      const isBuilt = existsSync(new URL('../dist/cli/main.js', import.meta.url))
      const hasSource = existsSync(new URL('../src/cli/main.ts', import.meta.url))
      // A checkout that has not been built runs its sources: Node takes the types out itself.
      const load = (name) =>
        import(
          new URL(isBuilt || !hasSource ? `../dist/cli/${name}.js` : `../src/cli/${name}.ts`, import.meta.url).href
        )
      // The first worker process loads while this one does.
      if (works && args.some((arg) => SUPERVISED.test(arg))) await load('early-worker')
      return load('main')
    })
    .then((cli) => cli.main(args))
    .then(
      (exitCode) => {
        if (typeof exitCode === 'number') process.exitCode = exitCode
      },
      (error) => {
        process.stderr.write(`millrace could not start: ${error?.stack ?? error}\n`)
        process.exitCode = 3
      },
    )
}

/*
 * As the first process of a container, what grandchildren leave behind is handed to us, and Node collects only its own children.
 * Then a shell takes this place and starts us anew: it passes signals on, collects what has ended, and ends as we do. Where there is
 * no shell, everything works but that collecting.
 *
 * A terminal sends Ctrl-C, and its own end, to every process of a group; were we in the shell's, each would reach us twice, and a
 * second one aborts what runs. So we begin in a session of our own, or where there is no `setsid` in a group: that is what `set -m`
 * gives, which without a terminal may fail and is not needed. The shell passes on all that a terminal sends, the change of its size too.
 *
 * A signal that is passed on ends the shell's `wait`, as if it were what we ended with, and by then we may have ended. So it waits once
 * more at the end: for what it has told already it gets 127.
 *
 * The shell shows its arguments for as long as it lives, and so for a moment do we as its child: a password is in neither. The
 * arguments as they were typed go by a variable that we take out of the environment at once. Whoever is another user cannot read
 * the environment of a process.
 */
const INIT =
  'for s in TERM INT HUP QUIT USR1 USR2 WINCH; do trap "kill -$s \\$c 2>/dev/null" $s; done; ' +
  'if command -v setsid >/dev/null; then setsid "$@" <&0 & c=$!; else set -m 2>/dev/null; "$@" <&0 & c=$!; set +m; fi; ' +
  'while :; do wait $c; r=$?; kill -0 $c 2>/dev/null || break; done; ' +
  'wait $c 2>/dev/null; q=$?; [ $q -eq 127 ] || r=$q; exit $r'

const TYPED = 'MILLRACE_TYPED_ARGS'

function becomeInit() {
  if (process.pid !== 1 || typeof process.execve !== 'function') return
  const { existsSync } = process.getBuiltinModule('node:fs')
  if (!existsSync('/bin/sh')) return
  const [bin, ...args] = process.argv.slice(1)
  const shown = withoutPasswords(args)
  const env = { ...process.env }
  if (shown.join() !== args.join()) env[TYPED] = JSON.stringify(args)
  const command = [process.execPath].concat(process.execArgv, bin, shown)
  process.removeAllListeners('warning')
  process.execve('/bin/sh', ['sh', '-c', INIT, 'millrace'].concat(command), env)
}

/** The arguments as they were typed, if that shell has started us and they are not the ones that it shows. */
function typedArgs() {
  const typed = process.env[TYPED]
  if (typed === undefined || process.ppid !== 1) return process.argv.slice(2)
  delete process.env[TYPED]
  return JSON.parse(typed)
}

const args = typedArgs()
const works = ['work', 'queue:work', 'dev'].indexOf(firstWord(args)) >= 0
if (works) becomeInit()
hidePassword(args)
if (works) noteSignals()
const missing = missingVersion(process.versions.node)
if (missing === undefined) {
  start(args)
} else {
  process.stderr.write(
    `millrace needs Node ${missing} or newer (this is ${process.version}). Install it from https://nodejs.org, or run it with \`npx -p node@24 millrace …\`.\n`,
  )
  process.exitCode = 3
}
