/** Things with a life-cycle: what starts must stop, and stopping waits for what is under way. */
/** Something with a life: it begins, and it ends when what it does is done. */
export interface Service {
  start(): Promise<void> | void
  stop(): Promise<void>
}
