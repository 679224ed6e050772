import { describe, expect, it } from 'vitest';
import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { instanceType } from '../domain/instance-types.ts';
import type { ImageRow } from './image-ports.ts';
import { requestedDevice, RunBlockDevices, volumeRequest } from './run-block-devices.ts';

const asked: unknown[] = [];
const requests = {
  call: (_service: string, _action: string, { input }: { input: unknown }) => {
    asked.push(input);
    return Promise.resolve({ encrypted: false, volumeType: 'gp2', snapshotSizeGiB: null });
  },
} as unknown as Requests;

describe('the volumes of a launch', () => {
  const mapping = { DeviceName: '/dev/sdf', Ebs: { SnapshotId: 'snap-1', VolumeInitializationRate: 200 } };

  it('are initialized as fast as the request says', async () => {
    const image = { imageId: 'ami-1', rootDeviceName: '/dev/sda1', devices: [] } as unknown as ImageRow;
    const type = instanceType('t3.micro');
    if (type === null) throw new Error('no such type');
    const place = { image, type, availabilityZone: 'eu-central-1a' };
    const [device] = await new RunBlockDevices(requests).run([mapping], place, {} as RequestContext);
    expect(asked).toMatchObject([{ SnapshotId: 'snap-1', VolumeInitializationRate: 200 }]);
    expect(device && volumeRequest(device, 'eu-central-1a')).toMatchObject({ VolumeInitializationRate: 200 });
  });

  it('have no such rate in an image', () => {
    expect(() => requestedDevice(mapping)).toThrow('VolumeInitializationRate is not supported');
  });

  it('may name the card that every instance has, and no other', () => {
    const onCard = (EbsCardIndex: number) => ({ DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, EbsCardIndex } });
    expect(requestedDevice(onCard(0))).toMatchObject({ deviceName: '/dev/sdf', sizeGiB: 1 });
    expect(() => requestedDevice(onCard(1))).toThrow('EbsCardIndex is not supported');
  });
});
