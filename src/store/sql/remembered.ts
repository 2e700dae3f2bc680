/**
 * Ids of jobs that are gone, remembered for two minutes. Those that are settled together share a row when they begin alike,
 * which are ids of the same four seconds (the first 36 of the 48 bits of time in a UUID of version 7): a row of its own for
 * each id, with its index entries, cost as much as all the rest of settling. What lies between the first and the last id of a
 * row may be in it: there are few such rows for an id
 * of version 7, since only those of its own four seconds can be; a caller's own ids that all begin alike share them all, and each
 * look reads as many as were settled in two minutes. Each driver says in
 * its own words what `REMEMBERED(v.id)` stands for.
 */

/** So many characters of an id are alike in a row: eight, a hyphen and one more. */
export const ALIKE_CHARACTERS = 10

/** `REMEMBERED(v.id)` in a statement as this condition, in which `THE_ID` stands for the id. */
export function withRemembered(text: string, condition: string): string {
  return text.replace(/\bREMEMBERED\(([\w.]+)\)/g, (_, id: string) => condition.replaceAll('THE_ID', id))
}
