import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DerivedSessionSecrets } from './credentials.ts';
import { secretsKeysOf } from './secrets-keys.ts';

describe("identity's secrets", () => {
  it('gives each session a secret and token of its own, the same each time', () => {
    const keys = secretsKeysOf([randomBytes(32)]);
    const secrets = new DerivedSessionSecrets(keys);
    const one = secrets.of('ASIA1', secrets.currentKeyId);
    expect(secrets.of('ASIA1', secrets.currentKeyId)).toEqual(one);
    const other = secrets.of('ASIA2', secrets.currentKeyId);
    expect(one.secretAccessKey).toHaveLength(40);
    expect(one.sessionToken).toHaveLength(344);
    expect([one.secretAccessKey, one.sessionToken]).not.toContain(other.secretAccessKey);
    expect(one.sessionToken).not.toBe(other.sessionToken);
    expect(() => secrets.of('ASIA1', '00'.repeat(8))).toThrow('under a key that is gone');
  });

  it('that are no longer the newest are found', () => {
    const [former, current] = [randomBytes(32), randomBytes(32)];
    const { keyId } = secretsKeysOf([former]).current;
    expect(secretsKeysOf([current, former]).find(keyId)?.keyId).toBe(keyId);
    expect(secretsKeysOf([current]).find(keyId)).toBeUndefined();
  });
});
