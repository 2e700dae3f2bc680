/**
 * A process of the deploy after this one: stores whose code knows later steps. It opens them, says `ready`, migrates all at
 * once at the line `go`, and says `done` with what each applied. Arguments: the URL, how many stores, how many later steps.
 */
import { createInterface } from 'node:readline'
import { exitWithParent } from '../support/parent.ts'
import { laterStore } from './later.ts'

exitWithParent()
const [, , url = '', count = '1', steps = '1'] = process.argv
const stores = Array.from({ length: Number(count) }, () => laterStore(url, Number(steps)))
await Promise.all(stores.map((store) => store.open()))
const begun = new Promise<void>((go) => {
  createInterface({ input: process.stdin }).on('line', () => go())
})
console.log('ready')
await begun
const applied = await Promise.all(stores.map((store) => store.migrate()))
console.log(`done ${JSON.stringify(applied)}`)
await Promise.all(stores.map((store) => store.close()))
process.exit(0)
