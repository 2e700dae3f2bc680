/** Jobs that have not ended. */

/** The states of a job that waits or runs. */
export const LIVE = ['blocked', 'scheduled', 'pending', 'processing', 'retrying'] as const
