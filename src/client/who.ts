/** Who does something, for people to read. */
import { hostname, userInfo } from 'node:os'

/** The user of this process and its machine; its number where the system knows no name for it, as in many containers. */
export function whoAmI(): string {
  return `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
