import type { RequestContext } from '@holdfast/contracts';
import type { Bus, DeliveredEvent, RequestHandlers } from '../index.ts';

interface VolumeCreated {
  type: 'VolumeCreated';
  sizeGiB: number;
}

/** Serves one request, and adds up the sizes of the volumes that another service tells of. */
export const serveTotals = async (bus: Bus): Promise<void> => {
  const sizes = new Map<string, number>(); // By event id: an event may come twice.
  const handlers: RequestHandlers = {
    GetTotal: async ({ factor }: { factor: number }, context: RequestContext) => {
      const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      return { total: total * factor, for: context.accountId };
    },
  };
  bus.consume({
    name: 'totals',
    owner: 'snapshots',
    source: 'volumes',
    handlers: {
      VolumeCreated: async ({ eventId, data }: DeliveredEvent<VolumeCreated>) => void sizes.set(eventId, data.sizeGiB),
    },
  });
  await bus.serveRequests('snapshots', handlers);
};

export const askTotal = (bus: Bus, context: RequestContext): Promise<{ total: number; for: string }> =>
  bus.request('snapshots', 'GetTotal', { factor: 2 }, { ...context, deadlineMs: Date.now() + 1000 });
