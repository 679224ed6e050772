export { Bus, type BusOptions, connectBus } from './bus.ts';
export { EventConsumer } from './event-consumer.ts';
export { ConnectionLost, InternalError, PayloadTooLarge, RequestTimeout, ServiceUnavailable } from './errors.ts';
export { LocalResponders } from './local-responders.ts';
export { type BusLogger, silentLogger } from './logger.ts';
export { type ParkedEvent, ParkedEvents } from './parked.ts';
export { RequestServer, type ServeOptions } from './request-server.ts';
export { scopeOf, type WorkScope } from './scope.ts';
export { childSpan, parseTraceparent, type TraceSpan } from './trace.ts';
export type {
  ConsumerOptions,
  DeliveredEvent,
  EventHandlers,
  RequestHandlers,
  Requests,
  ServiceName,
} from './types.ts';
