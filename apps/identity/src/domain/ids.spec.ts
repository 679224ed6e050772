import { describe, expect, it } from 'vitest';
import { newId, newSecretAccessKey } from './ids.ts';

describe('ids', () => {
  it.each([
    ['user', /^AIDA[A-Z2-7]{17}$/],
    ['group', /^AGPA[A-Z2-7]{17}$/],
    ['role', /^AROA[A-Z2-7]{17}$/],
    ['policy', /^ANPA[A-Z2-7]{17}$/],
    ['instance-profile', /^AIPA[A-Z2-7]{17}$/],
    ['accessKey', /^AKIA[A-Z2-7]{16}$/],
    ['temporaryAccessKey', /^ASIA[A-Z2-7]{16}$/],
  ] as const)('of a %s look like AWS’s', (what, pattern) => {
    expect(newId(what)).toMatch(pattern);
    expect(newId(what)).not.toBe(newId(what));
  });
  it('secrets have 40 characters', () => {
    expect(newSecretAccessKey()).toMatch(/^[A-Za-z0-9+/]{40}$/);
    expect(newSecretAccessKey()).not.toBe(newSecretAccessKey());
  });
});
