/**
 * Tests that need something of the machine. Where it is missing they are skipped with one line that names it; with
 * MILLRACE_REQUIRE=all, as CI sets it, their file fails instead, so that nothing is skipped unseen.
 */
export function lacks(what: string, isThere: boolean): boolean {
  if (isThere) return false
  if (process.env.MILLRACE_REQUIRE === 'all') throw new Error(`MILLRACE_REQUIRE=all, but this machine has no ${what}`)
  console.warn(`skipped for want of ${what}`)
  return true
}
