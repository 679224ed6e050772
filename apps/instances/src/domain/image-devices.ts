import type { SnapshotId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { BlockDevice, RequestedDevice } from './block-devices.ts';
import type { ImageDevice } from './image.events.ts';

export type ImageDeviceErrorCode =
  | 'DeviceRepeated'
  | 'DeviceWithoutVolume'
  | 'EncryptedWithSnapshot'
  | 'ExistingDeviceChanged'
  | 'ExistingVolumeEncrypted'
  | 'KmsKeyIdNotSupported'
  | 'RootDeviceSuppressed'
  | 'RootDeviceWithoutSnapshot'
  | 'SnapshotOfNewDevice';

const refuse = (code: ImageDeviceErrorCode, deviceName: string, snapshotId?: string): never => {
  throw new DomainError(code, { device: deviceName, snapshotId });
};

const byName = (requested: readonly RequestedDevice[]): Map<string, RequestedDevice> => {
  const devices = new Map(requested.map((device) => [device.deviceName, device]));
  if (devices.size < requested.length) throw new DomainError('DeviceRepeated');
  return devices;
};

/** What instances are launched with: a snapshot's own encryption is no wish of the request's. */
export const launchDevicesOf = (devices: readonly ImageDevice[]): BlockDevice[] =>
  devices.map(({ keyArn: _key, encrypted, ...device }) => ({
    ...device,
    ...(device.snapshotId === undefined && encrypted === true ? { encrypted } : {}),
  }));

const emptyVolume = (device: RequestedDevice): ImageDevice => {
  const { deviceName, deleteOnTermination = true, sizeGiB, volumeType, iops, throughputMiBps, encrypted } = device;
  if (!device.hasVolume || sizeGiB === undefined) return refuse('DeviceWithoutVolume', deviceName);
  return { deviceName, deleteOnTermination, sizeGiB, volumeType, iops, throughputMiBps, encrypted };
};

/**
 * The devices of RegisterImage: of snapshots, whose encryption is their own, and empty ones. Their snapshots are not looked at.
 * @throws DomainError ImageDeviceErrorCode
 */
export const registeredDevices = (
  rootDeviceName: string,
  requested: readonly RequestedDevice[],
): { device: ImageDevice; snapshotId: string | null }[] => {
  const devices = byName(requested.filter(({ suppressed }) => !suppressed));
  if (devices.get(rootDeviceName)?.snapshotId === undefined) refuse('RootDeviceWithoutSnapshot', rootDeviceName);
  return [...devices.values()].map((device) => {
    const { deviceName, snapshotId, kmsKeyId, encrypted } = device;
    if (kmsKeyId !== undefined) return refuse('KmsKeyIdNotSupported', deviceName);
    if (snapshotId === undefined) return { device: emptyVolume(device), snapshotId: null };
    if (encrypted !== undefined) return refuse('EncryptedWithSnapshot', deviceName);
    const { deleteOnTermination = true, sizeGiB, volumeType, iops, throughputMiBps } = device;
    return { device: { deviceName, deleteOnTermination, sizeGiB, volumeType, iops, throughputMiBps }, snapshotId };
  });
};

/**
 * The devices of CreateImage: the instance's volumes as the request changes them, and empty ones. Of a volume that is there
 * only DeleteOnTermination can be changed, and it can be left out.
 * @throws DomainError ImageDeviceErrorCode
 * @see CreateImage, BlockDeviceMapping
 */
export const createdDevices = (
  attached: readonly (ImageDevice & { snapshotId: SnapshotId })[],
  rootDeviceName: string,
  requested: readonly RequestedDevice[],
): ImageDevice[] => {
  const changes = byName(requested);
  const devices: ImageDevice[] = [];
  for (const { deviceName, kmsKeyId } of requested)
    if (kmsKeyId !== undefined) refuse('KmsKeyIdNotSupported', deviceName);
  for (const device of attached) {
    const change = changes.get(device.deviceName);
    changes.delete(device.deviceName);
    if (change?.suppressed === true) {
      if (device.deviceName === rootDeviceName) refuse('RootDeviceSuppressed', rootDeviceName);
    } else devices.push(change === undefined ? device : changed(device, change));
  }
  for (const change of changes.values()) {
    if (change.suppressed) continue;
    if (change.snapshotId !== undefined) refuse('SnapshotOfNewDevice', change.deviceName);
    devices.push(emptyVolume(change));
  }
  return devices;
};

const changed = (device: ImageDevice, change: RequestedDevice): ImageDevice => {
  const { deviceName } = device;
  // What an encrypted volume's entry says of encryption changes nothing.
  if (change.encrypted === true && device.keyArn === undefined) return refuse('ExistingVolumeEncrypted', deviceName);
  for (const member of ['snapshotId', 'sizeGiB', 'volumeType', 'iops', 'throughputMiBps'] as const)
    if (change[member] !== undefined && change[member] !== device[member]) refuse('ExistingDeviceChanged', deviceName);
  return { ...device, deleteOnTermination: change.deleteOnTermination ?? device.deleteOnTermination };
};
