/** The module that isolates load in these tests. */
export const ENTRY = new URL('./handlers.ts', import.meta.url)
