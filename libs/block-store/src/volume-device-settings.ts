import { z } from 'zod';
import type { VolumeIo } from './volume-data.ts';

/** Environment variables that say what volumes are put on, and how they are read and written. */
export const volumeDeviceVariables = {
  HOLDFAST_VOLUME_IO: z.enum(['buffered', 'direct']).optional(),
  HOLDFAST_VOLUME_DEVICES: z.string().optional(),
  HOLDFAST_VOLUME_DEVICES_OVERWRITE: z.string().optional(),
};

export interface VolumeDeviceSettings {
  readonly volumeIo?: VolumeIo | undefined;
  /** Absolute paths of block devices, or of folders of them or of links to them; none: volumes are files. */
  readonly volumeDevices: string[];
  /** Those that are taken although something is on them. */
  readonly overwriteDevices: string[];
}

/** Between commas: names of devices have colons in them. */
const pathsOf = (value: string | undefined): string[] => (value ?? '').split(',').filter((path) => path !== '');

export const volumeDeviceSettings = (values: {
  readonly [Name in keyof typeof volumeDeviceVariables]?: z.infer<(typeof volumeDeviceVariables)[Name]>;
}): VolumeDeviceSettings => ({
  volumeIo: values.HOLDFAST_VOLUME_IO,
  volumeDevices: pathsOf(values.HOLDFAST_VOLUME_DEVICES),
  overwriteDevices: pathsOf(values.HOLDFAST_VOLUME_DEVICES_OVERWRITE),
});
