/** Which of Node's own flags the processes that a process starts are given too. */

/**
 * Flags that say what a process runs, or that only one can have. A child that got them would run its parent's program once more; a
 * debugger's port is taken; `--disable-sigusr1` is given to every child anyway.
 */
const OF_ONE =
  /^(-e|-p|-pe|-c|-i|--(eval|print|check|interactive|input-type|entry-url|snapshot-blob|test|watch|inspect|debug-port|disable-sigusr1)(?=$|[=-]))/

/**
 * The flags that a child starts with: those of `own` but what only one process can have, and but what `isDropped` matches. A flag that
 * is left out takes its value with it: whatever follows it and is no flag, since Node refuses a value that begins with a minus.
 */
export function inheritedFlags(own: readonly string[], isDropped?: RegExp): readonly string[] {
  let isKept = true
  return own.filter((arg) => {
    if (arg.startsWith('-')) isKept = !OF_ONE.test(arg) && isDropped?.test(arg) !== true
    return isKept
  })
}
