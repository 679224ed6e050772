import { AwsError } from '@holdfast/contracts';
import { type Requests, ServiceUnavailable } from '@holdfast/messaging';
import type { RootKeyStatus } from '@holdfast/root-keys';
import { describe, expect, it } from 'vitest';
import { createRootKey, natsOf, parseOwner, retireRootKey, rootKeyStatus, rotateRootKey } from './root-key.ts';

const NEW = 'aa'.repeat(32);
const OLD = 'bb'.repeat(32);

const statusWith = (service: string, left: number): RootKeyStatus => ({
  ...{ service, provider: 'file', origin: '/keys/root.key', currentVersion: NEW, blobsUnderOthers: left },
  versions: [
    {
      versionId: NEW,
      state: 'current',
      location: '/keys/root.key',
      blobs: { key_material: 5 - left, service_secrets: 6 },
    },
    { versionId: OLD, state: 'former', location: null, blobs: left === 0 ? {} : { key_material: left } },
  ],
});

/** Services that answer what they are told, one answer after the other. */
const answering = (answers: Record<string, unknown[]>) => {
  const asked: [string, string, unknown][] = [];
  const services = {
    request: async (service: string, action: string, input: unknown) => {
      asked.push([service, action, input]);
      const answer = answers[`${service}.${action}`]?.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as unknown as Requests;
  return { services, asked };
};
const printing = () => {
  const lines: string[] = [];
  return { lines, print: (line: string) => void lines.push(line) };
};

describe('holdfast root-key', () => {
  it('shows what is under which version, and says when that is all', async () => {
    const { lines, print } = printing();
    const { services } = answering({
      'kms.GetRootKeyStatus': [statusWith('kms', 2)],
      'identity.GetRootKeyStatus': [statusWith('identity', 0)],
    });
    expect(await rootKeyStatus(services, ['kms', 'identity'], false, print)).toBe(false);
    expect(lines.map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      'kms: file, /keys/root.key',
      ' aaaaaaaaaaaaaaaa current 3 in key_material, 6 in service_secrets /keys/root.key',
      ' bbbbbbbbbbbbbbbb former 2 in key_material NOT THERE',
      ' 2 still to be wrapped by the current version',
      'identity: file, /keys/root.key',
      ' aaaaaaaaaaaaaaaa current 5 in key_material, 6 in service_secrets /keys/root.key',
      ' bbbbbbbbbbbbbbbb former nothing NOT THERE',
      ' all 11 keys that identity keeps wrapped are under the current version',
    ]);
  });

  it('shows the same as JSON', async () => {
    const { lines, print } = printing();
    const { services } = answering({ 'kms.GetRootKeyStatus': [statusWith('kms', 0)] });
    expect(await rootKeyStatus(services, ['kms'], true, print)).toBe(true);
    expect(JSON.parse(lines.join('\n'))).toEqual([statusWith('kms', 0)]);
  });

  it('rotates, and waits until nothing is left', async () => {
    const { lines, print } = printing();
    const { services, asked } = answering({
      'kms.RotateRootKey': [{ outcome: 'begun', versionId: NEW }],
      'kms.GetRootKeyStatus': [statusWith('kms', 3), statusWith('kms', 0)],
    });
    await rotateRootKey(services, ['kms'], { anew: false, wait: true }, print);
    expect(lines).toEqual([
      'kms: aaaaaaaaaaaaaaaa is the current version',
      'kms: 3 still to be wrapped by it',
      'kms: all is under it',
    ]);
    expect(asked[0]).toEqual(['kms', 'RotateRootKey', { anew: false }]);
  });

  it('says when a rotation goes on that was begun before', async () => {
    const { lines, print } = printing();
    const { services } = answering({ 'kms.RotateRootKey': [{ outcome: 'continues', versionId: NEW }] });
    await rotateRootKey(services, ['kms'], { anew: false, wait: false }, print);
    expect(lines).toEqual([
      'kms: an earlier rotation, to aaaaaaaaaaaaaaaa, has not ended and goes on; nothing new was begun',
    ]);
  });

  it('retires a version, says what is left to do, and passes on why not', async () => {
    const { lines, print } = printing();
    const needed = new AwsError({ code: 'RootKeyRefused', message: 'version bb is still needed' });
    const { services, asked } = answering({
      'kms.RetireRootKey': [
        { versionId: OLD, leftToDo: null },
        { versionId: OLD, leftToDo: 'remove it from X' },
        needed,
      ],
      'identity.RetireRootKey': [new ServiceUnavailable('identity', 'RetireRootKey', 'r', 'no responders')],
    });
    expect(await retireRootKey(services, 'kms', 'BBBB', print)).toBe(true);
    expect(await retireRootKey(services, 'kms', 'bbbb', print)).toBe(false);
    expect(lines).toEqual([
      'kms: bbbbbbbbbbbbbbbb is gone for good',
      'kms: bbbbbbbbbbbbbbbb is retired; remove it from X',
    ]);
    expect(asked[0]).toEqual(['kms', 'RetireRootKey', { versionId: 'bbbb' }]);
    await expect(retireRootKey(services, 'kms', 'bbbb', print)).rejects.toThrow('kms: version bb is still needed');
    await expect(retireRootKey(services, 'identity', 'bbbb', print)).rejects.toThrow('identity does not run');
  });

  it('knows who has a root key, and where the services are', () => {
    expect(parseOwner('identity')).toBe('identity');
    expect(() => parseOwner('volumes')).toThrow('volumes has no root key: give kms or identity');
    expect(natsOf('nats://u:p@host:4222', '/nowhere')).toEqual({
      servers: 'nats://host:4222',
      user: 'u',
      password: 'p',
    });
    expect(() => natsOf(undefined, '/nowhere')).toThrow('no stack runs on /nowhere');
  });

  it('makes keys in tokens only', async () => {
    await expect(createRootKey({}, 'kms', () => undefined)).rejects.toThrow('set HOLDFAST_PKCS11_MODULE');
  });
});
