import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestAccount } from './account.ts';
import { startStack, type Stack } from './stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.stop());

const setFaults = async (body: object) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${stack.endpoint}/_holdfast/faults`, { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.status;
}; // prettier-ignore

it('a device fails as it is told to, until it is told otherwise', async () => {
  const account = new TestAccount(stack);
  const { VolumeId: volumeId } = await account.volume({ Size: 1, Encrypted: true });
  const device = await NbdClient.connect(await account.attach(volumeId, await account.launch(), '/dev/sdf'));
  expect(await setFaults({ volumeId, faults: { seed: 1, readErrors: 1 } })).toBe(200);
  await expect(device.read(0, 512)).rejects.toThrow();
  expect(await setFaults({ volumeId, faults: null })).toBe(200);
  expect(await device.read(0, 512)).toEqual(Buffer.alloc(512));
  await device.close();
  expect(await setFaults({ volumeId: 'vol-0123456789abcdef0', faults: null })).toBe(404);
  expect(await setFaults({ volumeId, faults: { seed: 1, readErrors: 2 } })).toBe(400);
  expect(await setFaults({ volumeId })).toBe(400);
});
