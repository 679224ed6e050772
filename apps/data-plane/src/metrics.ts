import { Gauge, Histogram, type Registry } from 'prom-client';
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
  let refreshing: Promise<void> | null = null;
  // The registry reads all gauges side by side: each has to wait for the one refresh, or it would tell what it was told the last time.
  const collect = () => (refreshing ??= refresh().finally(() => (refreshing = null)));
  const make = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name, help, labelNames, registers: [metrics], collect });
  const byCommand = ['volume', 'command'] as const;
  const requests = make('holdfast_nbd_requests', 'NBD requests, since the export opened', byCommand);
  const bytes = make('holdfast_nbd_bytes', 'Bytes of NBD requests that succeeded, since the export opened', byCommand);
  const errors = make('holdfast_nbd_errors', 'NBD requests that failed, since the export opened', byCommand);
  const connections = make('holdfast_nbd_connections', 'Open NBD connections', ['volume']);
  const engines = make('holdfast_xts_volumes', 'Encrypted volumes that are served, by the engine that encrypts them', [
    'engine',
  ]);

  const refresh = async (): Promise<void> => {
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
  };
};

/** Of one volume, or of a set whose volumes are all held until the last of them is frozen. */
export type NoteFreeze = (of: 'volume' | 'set', heldMs: number) => void;

export const measureFreezes = (metrics: Registry): NoteFreeze => {
  const seconds = new Histogram({
    name: 'holdfast_snapshot_freeze_seconds',
    help: "How long guests' writes waited for the moment of a snapshot, or of a set of snapshots",
    labelNames: ['of'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics],
  });
  return (of, heldMs) => seconds.observe({ of }, heldMs / 1_000);
};
