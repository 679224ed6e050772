export { CommandHandler } from './command-handler.ts';
export { ClientTokenUsed } from './errors.ts';
export { MAX_EVENT_BYTES, MAX_EVENTS_PER_APPEND } from './new-events.ts';
export { subscribe, type SubscriptionOptions } from './subscription.ts';
export { EventSchemas, type Upcaster } from './upcasters.ts';
export type {
  AppendOptions,
  Checkpoint,
  ClientToken,
  DomainEvent,
  EventMetadata,
  EventStore,
  Inbox,
  InlineProjection,
  LogPage,
  Sql,
  StoredEvent,
  StreamAppend,
  SubscribableStore,
} from './types.ts';
