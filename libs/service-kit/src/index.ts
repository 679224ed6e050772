export { systemClock, TurnableClock } from './clock.ts';
export { ConfigError, environmentFrom, type OwnSettings, readConfig, serviceVariables } from './config.ts';
export { type BootedService, defineService, type ServiceDefinition } from './define-service.ts';
export { resetServices, turnClocks } from './development.ts';
export { isReady, type Readiness, startHealthServer, stopHealthServer } from './health-server.ts';
export { createLogger, type Logger, type LoggerOptions } from './logger.ts';
export {
  BUS,
  CLOCK,
  DATABASE,
  ENVIRONMENT,
  type EventStoreOptions,
  INBOX,
  LOGGER,
  METRICS,
  OPEN_EVENT_STORE,
  type OpenEventStore,
  type ServiceParts,
} from './parts.ts';
export { processMetrics } from './process-metrics.ts';
export { redact } from './redaction.ts';
export { RepeatedWork } from './repeated-work.ts';
export { runMain } from './run-main.ts';
export type { Clock, RunningService, ServiceEnvironment, StartService } from './types.ts';
