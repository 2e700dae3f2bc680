/** Questions on a terminal, before something is changed. Only a yes goes on; above a bound it has to be the number. */
import { createInterface } from 'node:readline/promises'

/** Above so many the number has to be typed: a y is soon hit by habit. */
const TYPED_ABOVE = 1_000

/** Asks on stderr. Resolves with true for a yes, or for `count` as digits when that is more than 1,000. */
export async function asksYes(warning: string, count: number): Promise<boolean> {
  const isTyped = count > TYPED_ABOVE
  const prompt = isTyped ? `Type ${count} to go on: ` : 'Go on? [y/N] '
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  const answered = asking.question(`${warning === '' ? '' : `${warning} `}${prompt}`).catch(() => '')
  // The end of the input, or Ctrl-C, is no yes.
  const gone = new Promise<null>((resolve) => asking.once('close', () => resolve(null)))
  const answer = await Promise.race([answered, gone])
  if (answer === null) console.error('')
  asking.close()
  if (answer === null) return false
  return isTyped ? answer.replace(/[\s,._]/g, '') === String(count) : /^y(es)?$/i.test(answer.trim())
}

/** Whether somebody is there to answer. */
export function isSomebodyThere(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true
}
