/** The limits of a file's length. */
import type { SourceFile } from './source.ts'

const MOST_LINES = 400
const MANY_LINES = 300

/** A fault for each file longer than 400 lines, a warning for each longer than 300. */
export function sizeFaults(files: readonly SourceFile[]): { faults: string[]; warnings: string[] } {
  const long = files
    .map((file) => ({ path: file.path, lines: file.text.replace(/\n$/, '').split('\n').length }))
    .filter(({ lines }) => lines > MANY_LINES)
  const say = ({ path, lines }: { path: string; lines: number }) => `${path}: ${lines} lines`
  return {
    faults: long
      .filter(({ lines }) => lines > MOST_LINES)
      .map((file) => `${say(file)}, at most ${MOST_LINES} are allowed; split it by subject`),
    warnings: long
      .filter(({ lines }) => lines <= MOST_LINES)
      .map((file) => `${say(file)}; above ${MANY_LINES} a file wants to be two`),
  }
}
