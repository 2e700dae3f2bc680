/**
 * Ids of jobs that are gone, remembered for two minutes. Those that were settled by one statement share a row when they begin
 * alike, which are ids of the same four seconds (the first 36 of the 48 bits of time in a UUID of version 7): a row of its own for
 * each id, with its two index entries, cost as much as all the rest of settling. What lies between the first and the last id of
 * a row may be in it: there are few such rows for any id, since only those of its own four seconds can be.
 */

const CONDITION =
  "EXISTS (SELECT 1 FROM millrace_done d WHERE d.last_id >= THE_ID AND d.last_id < left(THE_ID, 10) || '~' " +
  'AND d.first_id <= THE_ID AND (d.ids IS NULL OR THE_ID = ANY (d.ids)))'

/** `REMEMBERED(v.id)` in a statement as the condition that this id is remembered. */
export function withRemembered(text: string): string {
  return text.replace(/\bREMEMBERED\(([\w.]+)\)/g, (_, id: string) => CONDITION.replaceAll('THE_ID', id))
}
