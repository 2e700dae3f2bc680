/** The flags of Node that a worker's isolates are started with: its own, without what only one process can have. */

/** Flags that take their value as the next argument when it does not follow an equals sign. */
const WITH_VALUE: ReadonlySet<string> = new Set(['-e', '--eval', '-p', '--print', '--input-type', '--watch-path'])
const DROPPED =
  /^(-[epi]$|--(eval|print|interactive|input-type|inspect|watch|test|check|max-old-space-size|max_old_space_size|heap|cpu-prof))/

/** The worker's flags that an isolate shares, with its memory limit. */
export function isolateArgs(own: readonly string[], memoryMib: number | undefined): readonly string[] {
  const kept: string[] = []
  for (let i = 0; i < own.length; i++) {
    const arg = own[i] ?? ''
    if (!DROPPED.test(arg)) kept.push(arg)
    else if (WITH_VALUE.has(arg)) i++
  }
  // SIGUSR1 would open the inspector.
  kept.push('--disable-sigusr1')
  if (memoryMib !== undefined) kept.push(`--max-old-space-size=${memoryMib}`)
  return kept
}
