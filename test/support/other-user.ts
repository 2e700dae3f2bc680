/** A user whom the file system refuses something: root, as in a container, is refused nothing. */
import { chownSync } from 'node:fs'

const NOBODY = 65_534

/** What `spawn` needs to run a child as an ordinary user; nothing when this process is one. */
export function ordinaryUser(): { readonly uid?: number; readonly gid?: number } {
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
}

/** Gives these files to the ordinary user, as if that user had made them. */
export function giveToOrdinaryUser(...paths: readonly string[]): void {
  if (process.getuid?.() === 0) for (const path of paths) chownSync(path, NOBODY, NOBODY)
}
