/** The handlers of bench/sides/isolate.js, in a module of their own since isolates load it. */
import { defineJob } from '../../dist/index.js'

const run = async () => {}

export const none = defineJob({ name: 'none', run })
export const inThread = defineJob({ name: 'thread', isolate: 'thread', run })
export const inProcess = defineJob({ name: 'process', isolate: 'process', run })
