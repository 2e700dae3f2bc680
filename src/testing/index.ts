/** For an app's own tests: a Millrace in memory, with a clock that the test moves. */
export { ManualClock } from '../base/clock.ts'
export { openTesting, type TestingMillrace } from './open-testing.ts'
