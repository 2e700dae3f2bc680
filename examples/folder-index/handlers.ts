/** What each worker process imports: the handlers, with a Millrace of that process's own for what two of them read. */
import { foldHandler } from './fold.ts'
import indexFileHandler from './index-file.ts'
import { reportHandler } from './report.ts'
import { openStore, storeOfRun } from './store.ts'

const mill = await openStore(storeOfRun())

export const ofFiles = indexFileHandler
export const ofFolds = foldHandler(mill)
export const ofReport = reportHandler(mill)
