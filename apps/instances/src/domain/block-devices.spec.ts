import { describe, expect, it } from 'vitest';
import { type BlockDevice, failureReason, launchDevices, type RequestedDevice } from './block-devices.ts';

const root: BlockDevice = {
  deviceName: '/dev/xvda',
  deleteOnTermination: true,
  snapshotId: 'snap-1',
  sizeGiB: 8,
  volumeType: 'io1',
  iops: 300,
};
const data: BlockDevice = { deviceName: '/dev/sdf', deleteOnTermination: false, sizeGiB: 4 };
const asked = (deviceName: string, rest: Partial<RequestedDevice> = {}): RequestedDevice => ({
  deviceName,
  hasVolume: true,
  suppressed: false,
  ...rest,
});
const launch = (...requested: RequestedDevice[]) => launchDevices([root, data], '/dev/xvda', requested);

describe('the devices of a launch', () => {
  it.each<[string, RequestedDevice[], BlockDevice[]]>([
    ['are the image’s', [], [root, data]],
    ['may be larger', [asked('/dev/xvda', { sizeGiB: 20 })], [{ ...root, sizeGiB: 20 }, data]],
    ['may be encrypted', [asked('/dev/sdf', { encrypted: true })], [root, { ...data, encrypted: true }]],
    ['may be left out', [asked('/dev/sdf', { suppressed: true, hasVolume: false })], [root]],
    ['may be kept', [asked('/dev/xvda', { deleteOnTermination: false })], [{ ...root, deleteOnTermination: false }, data]],
    [
      'of another type have its performance',
      [asked('/dev/xvda', { volumeType: 'gp3' })],
      [{ deviceName: '/dev/xvda', deleteOnTermination: true, snapshotId: 'snap-1', sizeGiB: 8, volumeType: 'gp3' }, data],
    ],
    [
      'may be more',
      [asked('/dev/sdg', { sizeGiB: 1 })],
      [root, data, { deviceName: '/dev/sdg', deleteOnTermination: true, sizeGiB: 1 }],
    ],
    ['leave out what is not there', [asked('/dev/sdz', { suppressed: true, hasVolume: false })], [root, data]],
  ])('%s', (_name, requested, expected) => expect(launch(...requested)).toEqual(expected)); // prettier-ignore

  it.each<[string, RequestedDevice[]]>([
    ['DeviceWithoutVolume', [asked('/dev/sdg', { hasVolume: false })]],
    ['DeviceWithoutVolume', [asked('/dev/sdg', { encrypted: true })]],
    ['DeviceRepeated', [asked('/dev/sdf'), asked('/dev/sdf')]],
    ['RootDeviceSuppressed', [asked('/dev/xvda', { suppressed: true, hasVolume: false })]],
  ])('are refused: %s', (code, requested) => {
    expect(() => launch(...requested)).toThrow(expect.objectContaining({ code }));
  });
});

describe('the reason why a launch failed', () => {
  const state = 'Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state';
  const other = 'Client.InternalError: Client error on launch';
  it.each([
    ['arn:aws:kms:eu-central-1:111122223333:key/k is disabled.', state],
    ['arn:aws:kms:eu-central-1:111122223333:key/k is pending deletion.', state],
    ['arn:aws:kms:eu-central-1:111122223333:key/k is pending import.', state],
    ['User: x is not authorized to perform: kms:CreateGrant', other],
    ["Key 'k' does not exist", other],
  ])('%s: %s', (cause, message) => {
    expect(failureReason(cause)).toEqual({ code: message.split(':')[0], message });
  });
});
