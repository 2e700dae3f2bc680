/** A program of a user's own with a node in it: `folder`, `store` and the module with the handlers are its arguments. */
import { Millrace } from '../../src/index.ts'
import { exitWithParent } from '../support/parent.ts'

exitWithParent()
const [folder = '', store = '', entry = ''] = process.argv.slice(2)
process.chdir(folder)
await Millrace.supervise({ store, entry, processes: 1 })
console.log('supervising')
