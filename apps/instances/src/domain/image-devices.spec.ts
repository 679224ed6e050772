import { snapshotId } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import type { RequestedDevice } from './block-devices.ts';
import { createdDevices, launchDevicesOf, registeredDevices } from './image-devices.ts';

const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/k';
const root = {
  deviceName: '/dev/xvda',
  deleteOnTermination: true,
  snapshotId: snapshotId('snap-00000000000000001'),
  sizeGiB: 8,
  volumeType: 'gp3',
  encrypted: false,
};
const data = { ...root, deviceName: '/dev/sdf', snapshotId: snapshotId('snap-00000000000000002'), encrypted: true, keyArn: KEY }; // prettier-ignore
const asked = (deviceName: string, rest: Partial<RequestedDevice> = {}): RequestedDevice => ({
  deviceName,
  hasVolume: true,
  suppressed: false,
  ...rest,
});

describe('what instances of an image are launched with', () => {
  it('leaves encryption to its snapshots, and asks for it of empty volumes', () => {
    const empty = { deviceName: '/dev/sdg', deleteOnTermination: true, sizeGiB: 1 };
    const { keyArn: _key, encrypted: _encrypted, ...ofSnapshot } = data;
    expect(launchDevicesOf([data, { ...empty, encrypted: true }, { ...empty, encrypted: false }])).toEqual([
      ofSnapshot,
      { ...empty, encrypted: true },
      empty,
    ]);
  });
});

describe('the devices of RegisterImage', () => {
  const register = (...requested: RequestedDevice[]) => registeredDevices('/dev/xvda', requested);
  const rootAsked = asked('/dev/xvda', { snapshotId: 'snap-1' });

  it('are of snapshots, and empty', () => {
    const devices = register(rootAsked, asked('/dev/sdf', { sizeGiB: 1, encrypted: true, deleteOnTermination: false }));
    expect(devices).toMatchObject([
      { device: { deviceName: '/dev/xvda', deleteOnTermination: true }, snapshotId: 'snap-1' },
      { device: { sizeGiB: 1, encrypted: true, deleteOnTermination: false }, snapshotId: null },
    ]);
  });
  it.each<[string, RequestedDevice[]]>([
    ['EncryptedWithSnapshot', [asked('/dev/xvda', { snapshotId: 'snap-1', encrypted: false })]],
    ['EncryptedWithSnapshot', [rootAsked, asked('/dev/sdf', { snapshotId: 'snap-1', encrypted: true })]],
    ['KmsKeyIdNotSupported', [rootAsked, asked('/dev/sdf', { sizeGiB: 1, encrypted: true, kmsKeyId: KEY })]],
    ['RootDeviceWithoutSnapshot', []],
    ['RootDeviceWithoutSnapshot', [asked('/dev/xvda', { sizeGiB: 8 })]],
    ['RootDeviceWithoutSnapshot', [asked('/dev/xvda', { snapshotId: 'snap-1', suppressed: true })]],
    ['DeviceWithoutVolume', [rootAsked, asked('/dev/sdf')]],
    ['DeviceRepeated', [rootAsked, rootAsked]],
  ])('are refused: %s', (code, requested) => {
    expect(() => register(...requested)).toThrow(expect.objectContaining({ code }));
  });
});

describe('the devices of CreateImage', () => {
  const create = (...requested: RequestedDevice[]) => createdDevices([root, data], '/dev/xvda', requested);

  it.each<[string, RequestedDevice[], object[]]>([
    ['are the instance’s', [], [root, data]],
    ['may be kept', [asked('/dev/xvda', { deleteOnTermination: false })], [{ ...root, deleteOnTermination: false }, data]],
    ['may be left out', [asked('/dev/sdf', { suppressed: true })], [root]],
    ['may be said to be unencrypted where they are', [asked('/dev/xvda', { encrypted: false })], [root, data]],
    ['stay encrypted, whatever is said', [asked('/dev/sdf', { encrypted: false })], [root, data]],
    ['stay encrypted where that is said', [asked('/dev/sdf', { encrypted: true })], [root, data]],
    ['may say their size again', [asked('/dev/sdf', { sizeGiB: 8, volumeType: 'gp3' })], [root, data]],
    ['may be more', [asked('/dev/sdg', { sizeGiB: 1, encrypted: true })], [root, data, { deviceName: '/dev/sdg', deleteOnTermination: true, sizeGiB: 1, encrypted: true }]],
  ])('%s', (_name, requested, expected) => expect(create(...requested)).toEqual(expected)); // prettier-ignore

  it.each<[string, RequestedDevice[]]>([
    ['ExistingVolumeEncrypted', [asked('/dev/xvda', { encrypted: true })]],
    ['ExistingDeviceChanged', [asked('/dev/xvda', { sizeGiB: 20 })]],
    ['ExistingDeviceChanged', [asked('/dev/xvda', { snapshotId: 'snap-3' })]],
    ['KmsKeyIdNotSupported', [asked('/dev/sdf', { encrypted: true, kmsKeyId: KEY })]],
    ['RootDeviceSuppressed', [asked('/dev/xvda', { suppressed: true })]],
    ['SnapshotOfNewDevice', [asked('/dev/sdg', { snapshotId: 'snap-3' })]],
    ['DeviceWithoutVolume', [asked('/dev/sdg')]],
    ['DeviceRepeated', [asked('/dev/sdf'), asked('/dev/sdf')]],
  ])('are refused: %s', (code, requested) => {
    expect(() => create(...requested)).toThrow(expect.objectContaining({ code }));
  });
});
