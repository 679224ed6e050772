export type { Clock, RunningService, ServiceEnvironment, StartService } from './types.ts';
