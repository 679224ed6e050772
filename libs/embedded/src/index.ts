export { EmbeddedServerError } from './errors.ts';
export { findNatsServer, natsServerCacheDir, provisionNatsServer, type NatsServerBinary } from './nats-binary.ts';
export { startNats, type NatsOptions, type RunningNats } from './nats.ts';
export { freePort, isPortFree } from './ports.ts';
export { postgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
export { checkPostgres, type PostgresCheck } from './postgres-check.ts';
export { startPostgres, type PostgresOptions, type RunningPostgres } from './postgres.ts';
export { commandLineOf, isAlive, stopProcess } from './processes.ts';
