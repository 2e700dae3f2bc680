/** Things with a life-cycle: what starts must stop, and stopping waits for what is under way. */
export interface Service {
  start(): Promise<void> | void
  stop(): Promise<void>
}
