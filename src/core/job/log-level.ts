/** The four levels of a job's log lines, least first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** How much a log line matters. */
export type LogLevel = (typeof LOG_LEVELS)[number]
