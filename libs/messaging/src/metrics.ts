import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Seconds; requests take from under a millisecond (reads) to the caller's deadline. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The bus's metrics. Buses that share a registry share the metrics. */
export interface BusMetrics {
  readonly requests: Counter<'service' | 'action' | 'code'>;
  readonly durationSeconds: Histogram<'service' | 'action'>;
  readonly deliveries: Counter<'owner' | 'consumer' | 'outcome'>;
  readonly lag: Gauge<'owner' | 'consumer'>;
  readonly parked: Gauge<'owner' | 'consumer'>;
  /** Called before each scrape, to fill the gauges. */
  readonly collectors: Set<() => Promise<void>>;
}

const made = new WeakMap<Registry, BusMetrics>();

export const busMetrics = (registry: Registry): BusMetrics => {
  const known = made.get(registry);
  if (known !== undefined) return known;
  const registers = [registry];
  const collectors = new Set<() => Promise<void>>();
  // The gauges are read side by side: whoever comes first asks the broker for all of them.
  let collecting: Promise<unknown> | undefined;
  const collect = async (): Promise<void> => {
    collecting ??= Promise.all([...collectors].map((each) => each())).finally(() => (collecting = undefined));
    await collecting;
  };
  const metrics: BusMetrics = {
    requests: new Counter({
      name: 'holdfast_requests_total',
      help: 'Requests served, by result code.',
      labelNames: ['service', 'action', 'code'],
      registers,
    }),
    durationSeconds: new Histogram({
      name: 'holdfast_request_duration_seconds',
      help: 'Time from arrival to reply, waiting included.',
      labelNames: ['service', 'action'],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    deliveries: new Counter({
      name: 'holdfast_event_deliveries_total',
      help: 'Events given to consumers, by outcome.',
      labelNames: ['owner', 'consumer', 'outcome'],
      registers,
    }),
    lag: new Gauge({
      name: 'holdfast_consumer_lag_events',
      help: 'Events that a consumer has not yet acknowledged.',
      labelNames: ['owner', 'consumer'],
      registers,
      collect,
    }),
    parked: new Gauge({
      name: 'holdfast_parked_events',
      help: 'Events set aside after their last attempt.',
      labelNames: ['owner', 'consumer'],
      registers,
      collect,
    }),
    collectors,
  };
  made.set(registry, metrics);
  return metrics;
};
