/** For processes that a test starts: they end with it, also when it is killed and cannot stop them. */

/** Ends this process when nobody holds the other end of its stdin any more. */
export function exitWithParent(): void {
  process.stdin.on('end', () => process.exit(1))
  process.stdin.resume()
}
