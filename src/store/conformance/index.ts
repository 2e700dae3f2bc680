/** The one suite that every store driver passes, for drivers of your own too. */
export type { OpenedStore, OpenOptions, OpenStore } from './fixture.ts'
export { describeStore, type SuiteOptions } from './suite.ts'
