export type {
  ConsumerOptions,
  DeliveredEvent,
  EventHandlers,
  RequestHandlers,
  Requests,
  ServiceName,
} from './types.ts';
