export { CommandHandler } from './command-handler.ts';
export { ClientTokenUsed } from './errors.ts';
export type {
  AppendOptions,
  Checkpoint,
  ClientToken,
  DomainEvent,
  EventMetadata,
  EventStore,
  InlineProjection,
  Sql,
  StoredEvent,
} from './types.ts';
