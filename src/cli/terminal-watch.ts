/** Whether the terminal that a command was started on is still there. */
import { isatty } from 'node:tty'

const STANDARD = [0, 1, 2] as const

/**
 * Notes the terminal of this process, and returns whether it has gone since: the system then answers for none of what was one. Always
 * false where there was none.
 */
export function watchTerminal(): () => boolean {
  const terminals = STANDARD.filter((fd) => isatty(fd))
  return () => terminals.length > 0 && !terminals.some((fd) => isatty(fd))
}
