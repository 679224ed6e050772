/** How long a service may take to answer a process manager, in milliseconds; after that the event is delivered again. */
const STEP_TIMEOUT_MS = 10_000;

/** Epoch milliseconds by the system's own clock, which is the one the bus waits by. */
export const deadline = (): number => Date.now() + STEP_TIMEOUT_MS;
