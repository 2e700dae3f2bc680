/** The checker's process: judges the run that its argument names as JSON, and says what it found as JSON. */
import { createKeyRing } from '../worker/library.ts'
import { judge } from './checker.ts'
import { gather, type Question } from './gather.ts'

// Only the laboratory starts this.
const question = JSON.parse(process.argv[2] ?? '') as Question
const history = await gather(question, question.keys === undefined ? undefined : { keys: createKeyRing(question.keys) })
// A long answer is written in several turns of the loop.
process.stdout.write(`verdict ${JSON.stringify(judge(history))}\n`, () => process.exit(0))
