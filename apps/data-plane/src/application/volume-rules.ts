import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { deviceCapacityBytes, devicePointer, GIB, MAX_VOLUME_GIB, type StoreLayout } from '@holdfast/block-store';
import { type HostAttachment, instanceId as parseInstanceId, type VolumeId } from '@holdfast/contracts';
import { refusal } from '../errors.ts';

/** Where an attachment's device is served. @throws AwsError InvalidDevice */
export const deviceSocketPath = (home: string, { instanceId, device }: HostAttachment): string => {
  const name = device.replace(/^\/dev\//, '');
  if (!/^[A-Za-z0-9]{1,32}$/.test(name)) throw refusal('InvalidDevice', `${JSON.stringify(device)} names no device`);
  return join(home, 'instances', parseInstanceId(instanceId), 'dev', name);
};

/** Only volumes that are meant for it are served to more than one. @throws AwsError VolumeBusy */
export const checkShared = (home: string, served: Iterable<HostAttachment>, attachment: HostAttachment): void => {
  const { volumeId, instanceId, multiAttach = false } = attachment;
  const socketPath = deviceSocketPath(home, attachment);
  for (const current of served) {
    const shared = current.instanceId !== instanceId && multiAttach && current.multiAttach === true;
    if (!shared && deviceSocketPath(home, current) !== socketPath)
      throw refusal('VolumeBusy', `volume ${volumeId} is exported to ${current.instanceId}`);
  }
};

/** Whether snapshots of it are being copied. */
export const hasFreezes = (layout: StoreLayout, volumeId: VolumeId): boolean => {
  const { freezes } = layout.volume(volumeId);
  return existsSync(freezes) && readdirSync(freezes).length > 0;
};

/** Whether it has anything to copy or to fetch, attached or not. */
export const needsBackground = (layout: StoreLayout, volumeId: VolumeId): boolean =>
  existsSync(layout.volume(volumeId).source) || hasFreezes(layout, volumeId);

/** @throws AwsError InsufficientVolumeCapacity */
export const checkCapacity = (layout: StoreLayout, volumeId: VolumeId, sizeGiB: number): void => {
  const tooSmall = (message: string) => refusal('InsufficientVolumeCapacity', message);
  if (sizeGiB > MAX_VOLUME_GIB) throw tooSmall(`no volume has more than ${String(MAX_VOLUME_GIB)} GiB`);
  const pointer = devicePointer(layout.volume(volumeId));
  if (pointer !== null && sizeGiB * GIB > deviceCapacityBytes(pointer.path))
    throw tooSmall(`the device of volume ${volumeId} has less than ${String(sizeGiB)} GiB`);
};
