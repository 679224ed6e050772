import type { AttachmentRecord } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { instancesWithDevices, splitFilters } from './device-filters.ts';

const attachment = (instanceId: string, volumeId: string, rest: Partial<AttachmentRecord> = {}) =>
  ({
    ...{ instanceId, volumeId, device: '/dev/sdf', state: 'attached' },
    ...{ attachTime: '2026-01-31T12:00:00.000Z', deleteOnTermination: false },
    ...rest,
  }) as AttachmentRecord;
const attachments = [
  attachment('i-1', 'vol-1', { device: '/dev/xvda', deleteOnTermination: true }),
  attachment('i-1', 'vol-2', { state: 'detaching' }),
  attachment('i-2', 'vol-3'),
];
const found = (...filters: [name: string, ...values: string[]][]) =>
  instancesWithDevices(
    filters.map(([name, ...Values]) => ({ Name: `block-device-mapping.${name}`, Values })),
    attachments,
  );

describe('filters on block devices', () => {
  it.each<[[string, ...string[]][], string[]]>([
    [[['volume-id', 'vol-2', 'vol-3']], ['i-1', 'i-2']],
    [[['device-name', '/dev/xvd?']], ['i-1']],
    [[['delete-on-termination', 'false']], ['i-1', 'i-2']],
    [[['status', 'detaching']], ['i-1']],
    [[['attach-time', '2026-01-31*']], ['i-1', 'i-2']],
    [[['attach-time', '2025*']], []],
    // Each filter may be met by another device.
    [[['volume-id', 'vol-1'], ['status', 'detaching']], ['i-1']],
    [[['volume-id', 'vol-3'], ['status', 'detaching']], []],
  ])('%j find %j', (filters, expected) => {
    expect(found(...filters)).toEqual(expected);
  }); // prettier-ignore

  it('have names that EC2 knows', () => {
    expect(() => found(['colour', 'red'])).toThrow("The filter 'block-device-mapping.colour' is invalid");
  });

  it('are told from those on the instances themselves', () => {
    const [devices, others] = [{ Name: 'block-device-mapping.status', Values: ['attached'] }, { Name: 'image-id' }];
    expect(splitFilters([devices, others])).toEqual({ devices: [devices], others: [others] });
    expect(splitFilters(undefined)).toEqual({ devices: [], others: undefined });
  });
});
