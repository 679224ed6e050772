export type { StreamLimits } from './event-stream.ts';
export { type RebuildReason, Relay, type RelayObserver, type RelayOptions } from './relay.ts';
