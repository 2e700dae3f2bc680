/** The processes of a run, found by what they all inherit: the environment names its folder. */
import { readdirSync, readFileSync } from 'node:fs'

/** Every process that has this in its environment and has not ended; this one aside. */
export function processesWith(...variables: readonly string[]): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) return []
    const has = environmentOf(pid)
    return has !== null && variables.every((variable) => has.includes(variable)) ? [pid] : []
  })
}

/** Null: it has ended, or it is somebody else's. One that nobody has heard the end of has none. */
function environmentOf(pid: number): readonly string[] | null {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return null
  }
}
