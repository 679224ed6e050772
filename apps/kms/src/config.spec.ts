import { ConfigError } from '@holdfast/service-kit';
import { describe, expect, it } from 'vitest';
import { kmsQuotas } from './config.ts';

describe("kms' quotas", () => {
  it("are AWS's, but for those that are set", () => {
    const aws = { keys: 100_000, aliasesPerKey: 50, grantsPerKey: 50_000, policyBytes: 32_768 };
    expect(kmsQuotas(undefined)).toEqual(aws);
    expect(kmsQuotas({ quotas: 'keys=5, policyBytes=131072' })).toEqual({ ...aws, keys: 5, policyBytes: 131_072 });
  });
  it.each(['keys', 'keys=0', 'keys=-1', 'keys=1.5', 'kyes=5', 'policyBytes=131073', '__proto__=1'])(
    'are not %j',
    (quotas) => {
      expect(() => kmsQuotas({ quotas })).toThrow(ConfigError);
    },
  );
});
