import { isAbsolute } from 'node:path';
import {
  blockStoreSettings,
  blockStoreVariables,
  s3SettingsSchema,
  volumeDeviceSettings,
  volumeDeviceVariables,
} from '@holdfast/block-store';
import { nbdTlsSettings, nbdTlsSettingsSchema, nbdTlsVariables } from '@holdfast/nbd';
import type { OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';

/** `<home>/instances/<instance id>/dev/.<8 hex>` must fit in a unix socket's path (107 bytes). */
const MAX_HOME_BYTES = 60;

export const settingsSchema = z.object({
  /** Folder of volumes, snapshots and blocks, and of the instances' devices. */
  home: z
    .string()
    .refine(isAbsolute, 'must be an absolute path')
    .refine(
      (path) => Buffer.byteLength(path) <= MAX_HOME_BYTES,
      `must have at most ${String(MAX_HOME_BYTES)} bytes: the sockets of devices are under it, and the system limits their paths`,
    ),
  /** Under which the control plane knows this host. */
  hostId: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/)
    .default('local'),
  /** Where blocks of EBS direct are taken and given: `host:port`; absent: a unix socket under `home`. */
  blocksListen: z
    .string()
    .regex(/^[A-Za-z0-9.:[\]-]+:\d{1,5}$/, 'must be <host>:<port>')
    .optional(),
  /** As which the gateway reaches that, e.g. `tcp://data-plane-0.data-plane:7070`. */
  blocksUrl: z.url({ protocol: /^tcp$/ }).optional(),
  /** Whether volumes are held to the IOPS and throughput of their types; absent: in production they are. */
  volumeLimits: z.enum(['enforced', 'off']).optional(),
  /** Whether guests' reads and writes go by way of the page cache, or past it; absent: by way of it. */
  volumeIo: z.enum(['buffered', 'direct']).default('buffered'),
  /** Block devices for volumes' data, or folders of them or of links to them; none: data are in files under `home`. */
  volumeDevices: z.array(z.string().refine(isAbsolute, 'must be absolute paths')).default([]),
  /** Those of them that are taken although something is on them. */
  overwriteDevices: z.array(z.string().refine(isAbsolute, 'must be absolute paths')).default([]),
  /** Where blocks of snapshots are; null: in a folder under `home`. */
  blockStore: s3SettingsSchema.nullable().default(null),
  /** Where volumes are served over TLS, to guests whose certificates are for their instance or the volume; absent: nowhere. */
  nbdTls: nbdTlsSettingsSchema.optional(),
  /** Of the built block host; tests give their own. */
  blockHostPath: z.string().optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

const variables = z.object({
  HOLDFAST_HOME: z.string().min(1),
  HOLDFAST_HOST_ID: z.string().min(1).optional(),
  HOLDFAST_BLOCKS_LISTEN: z.string().min(1).optional(),
  HOLDFAST_BLOCKS_URL: z.string().min(1).optional(),
  HOLDFAST_VOLUME_LIMITS: z.enum(['enforced', 'off']).optional(),
  ...blockStoreVariables,
  ...volumeDeviceVariables,
  ...nbdTlsVariables,
});

export const ownSettings: OwnSettings<typeof variables.shape> = {
  variables,
  settings: (values) =>
    settingsSchema.parse({
      home: values.HOLDFAST_HOME,
      hostId: values.HOLDFAST_HOST_ID,
      blocksListen: values.HOLDFAST_BLOCKS_LISTEN,
      blocksUrl: values.HOLDFAST_BLOCKS_URL,
      volumeLimits: values.HOLDFAST_VOLUME_LIMITS,
      ...volumeDeviceSettings(values),
      blockStore: blockStoreSettings(values),
      nbdTls: nbdTlsSettings(values),
    }),
};
