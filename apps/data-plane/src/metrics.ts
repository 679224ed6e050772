import { Gauge, type Registry } from 'prom-client';
import { z } from 'zod';
import type { VolumeHosts } from './application/volume-hosts.ts';

const statsSchema = z.object({
  /** By which the volume is encrypted; null: it is not. */
  engine: z.string().nullable(),
  exports: z.array(
    z.object({
      connections: z.number(),
      commands: z.array(z.object({ command: z.string(), requests: z.number(), bytes: z.number(), errors: z.number() })),
    }),
  ),
});
/** Always there, so that a rule can ask for a volume on the slower one. */
const XTS_ENGINES = ['openssl-addon', 'node-crypto'];

/** Asks the block hosts when the metrics are read. Totals of a host start anew with it. */
export const countNbdOperations = (metrics: Registry, hosts: Pick<VolumeHosts, 'stats'>): void => {
  const labelNames = ['volume', 'command'] as const;
  const registers = [metrics];
  const make = (name: string, help: string) => new Gauge({ name, help, labelNames, registers });
  const bytes = make('holdfast_nbd_bytes', 'Bytes of NBD requests that succeeded, since the export opened');
  const errors = make('holdfast_nbd_errors', 'NBD requests that failed, since the export opened');
  const connections = new Gauge({
    name: 'holdfast_nbd_connections',
    help: 'Open NBD connections',
    labelNames: ['volume'] as const,
    registers,
  });
  const engines = new Gauge({
    name: 'holdfast_xts_volumes',
    help: 'Encrypted volumes that are served, by the engine that encrypts them',
    labelNames: ['engine'] as const,
    registers,
  });
  const requests: Gauge<'volume' | 'command'> = new Gauge({
    name: 'holdfast_nbd_requests',
    help: 'NBD requests, since the export opened',
    labelNames,
    registers,
    collect: async () => {
      const all = await hosts.stats();
      for (const gauge of [requests, bytes, errors, connections]) gauge.reset();
      for (const engine of XTS_ENGINES) engines.set({ engine }, 0);
      for (const [volume, raw] of all) {
        const stats = statsSchema.safeParse(raw);
        if (!stats.success) continue;
        if (stats.data.engine !== null) engines.inc({ engine: stats.data.engine });
        for (const served of stats.data.exports) {
          connections.inc({ volume }, served.connections);
          for (const { command, ...totals } of served.commands) {
            requests.inc({ volume, command }, totals.requests);
            bytes.inc({ volume, command }, totals.bytes);
            errors.inc({ volume, command }, totals.errors);
          }
        }
      }
    },
  });
};
