export { MemoryEventStore, type MemoryEventStoreOptions, MemoryLog } from './memory-event-store.ts';
export { MemoryInbox } from './memory-inbox.ts';
