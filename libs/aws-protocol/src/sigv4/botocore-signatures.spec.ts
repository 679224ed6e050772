import { describe, expect, it, vi } from 'vitest';
import type { RawRequest } from '../http-message.ts';
import { botocoreVersion, runPython } from '../testing/botocore.ts';
import { tampered, verifierOf } from '../testing/signatures.ts';

// Thousands of cases: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

interface Signed {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
  service: string;
  region: string;
  token: string | null;
  presigned: boolean;
  unsigned: boolean;
}

const COUNT = 1500;
const SEED = 20_240_101;

describe.runIf(botocoreVersion !== undefined)('signatures by botocore', () => {
  const signed = runPython('botocore_sign.py', [String(SEED), String(COUNT)])
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Signed);
  const rawOf = ({ method, url, headers, body }: Signed): RawRequest => ({
    method,
    url,
    headers,
    body: Buffer.from(body, 'base64'),
  });

  it(`covers presigned, unsigned and temporary credentials (seed ${String(SEED)})`, () => {
    expect(signed).toHaveLength(COUNT);
    for (const pick of [(s: Signed) => s.presigned, (s: Signed) => s.unsigned, (s: Signed) => s.token !== null]) {
      expect(signed.filter(pick).length).toBeGreaterThan(50);
    }
  });

  it('are accepted, every one', async () => {
    const refused: string[] = [];
    for (const request of signed) {
      const verifier = verifierOf({ sessionToken: request.token ?? undefined });
      await verifier.authenticate(rawOf(request)).catch((error: unknown) => {
        refused.push(`${String(error)} ${JSON.stringify(request)}`);
      });
    }
    expect(refused.slice(0, 3)).toEqual([]);
  });

  it('are refused once anything signed was altered', async () => {
    const accepted: string[] = [];
    let altered = 0;
    for (const request of signed.filter((_, i) => i % 3 === 0)) {
      const verifier = verifierOf({ sessionToken: request.token ?? undefined });
      for (const [what, variant] of tampered(rawOf(request), { isBodySigned: !request.unsigned })) {
        altered += 1;
        await verifier.authenticate(variant).then(
          () => accepted.push(`${what} ${JSON.stringify(request)}`),
          (error: unknown) => {
            expect((error as Error).name).toBe('AwsError');
          },
        );
      }
    }
    expect(accepted.slice(0, 3)).toEqual([]);
    expect(altered).toBeGreaterThan(COUNT);
  });
});
