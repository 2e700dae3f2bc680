/** The library under test as the workers of a run load it: what was built for the run, the same modules that their command runs. */
const { MILLRACE_LAB_LIBRARY: built } = process.env
// What is built from those sources has their types.
const library = (await import(built ?? '../../../../src/index.ts')) as typeof import('../../../../src/index.ts')

/** Of the library under test. */
export const { createKeyRing, defineJob, Millrace, MillraceError, StoreError } = library
