import type { RelayObserver } from '@holdfast/event-store/relay';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Logger } from './logger.ts';

/** Logs and counts what the relay does. */
export const relayObserver = (logger: Logger, registry: Registry): RelayObserver => {
  const registers = [registry];
  const published = new Counter({
    name: 'holdfast_events_published_total',
    help: 'Events that JetStream acknowledged.',
    registers,
  });
  const failures = new Counter({
    name: 'holdfast_relay_failures_total',
    help: 'Times the relay failed and began again.',
    registers,
  });
  const leader = new Gauge({
    name: 'holdfast_relay_leader',
    help: '1 in the replica that publishes the events.',
    registers,
  });
  return {
    leading: (leads) => {
      leader.set(leads ? 1 : 0);
      logger.debug({ leads }, 'relay leadership changed');
    },
    published: (events) => published.inc(events),
    rebuilding: (reason) => logger.warn({ reason }, 'the event stream is published again from the log'),
    failed: (error) => {
      failures.inc();
      logger.warn({ err: error }, 'the relay failed and begins again');
    },
  };
};
