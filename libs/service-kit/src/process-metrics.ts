import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';

/** Memory, processor and event loop belong to the process, however many services it runs. */
const processRegistry = new Registry();
const serviceRegistries = new Set<Registry>();

/** A registry for one service's metrics; all carry the label `app`. */
export const createServiceRegistry = (app: string): Registry => {
  if (serviceRegistries.size === 0) {
    processRegistry.clear();
    collectDefaultMetrics({ register: processRegistry });
  }
  const registry = new Registry();
  registry.setDefaultLabels({ app });
  serviceRegistries.add(registry);
  return registry;
};

export const dropServiceRegistry = (registry: Registry): void => void serviceRegistries.delete(registry);

/** The metrics of every service that runs in this process, and of the process, in Prometheus' text format. */
export const processMetrics = async (): Promise<{ contentType: string; text: string }> => {
  const registries = [processRegistry, ...serviceRegistries];
  const all = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()));
  const merged = AggregatorRegistry.aggregate(all as never);
  return { contentType: merged.contentType, text: await merged.metrics() };
};
