import { describe, expect, it } from 'vitest';
import { groupUses, likePattern, readKeyUses, type UsageRow } from './key-usage.ts';

const row = (key: string, volume: string | null, principal: string, operation: string, count: number, ...days: [number, number]): UsageRow => ({
  key_arn: key, ebs_id: volume, principal_arn: principal, operation, count: String(count),
  first_at: new Date(Date.UTC(2026, 2, days[0])), last_at: new Date(Date.UTC(2026, 2, days[1])),
}); // prettier-ignore
const day = (number: number) => new Date(Date.UTC(2026, 2, number)).toISOString();

describe('uses of keys', () => {
  it('are gathered by key, volume and principal, with the first and last over all operations', () => {
    const groups = groupUses([
      row('k1', 'vol-1', 'alice', 'Decrypt', 3, 5, 9),
      row('k1', 'vol-1', 'alice', 'GenerateDataKey', 1, 2, 2),
      row('k1', 'vol-1', 'bob', 'Decrypt', 2, 4, 4),
      row('k1', null, 'bob', 'Encrypt', 1, 3, 3),
      row('k2', null, 'bob', 'Encrypt', 7, 1, 8),
    ]);
    expect(groups.map(({ keyArn, ebsId, principalArn, count }) => [keyArn, ebsId, principalArn, count])).toEqual([
      ['k1', 'vol-1', 'alice', 4],
      ['k1', 'vol-1', 'bob', 2],
      ['k1', null, 'bob', 1],
      ['k2', null, 'bob', 7],
    ]);
    expect(groups[0]).toMatchObject({ firstAt: day(2), lastAt: day(9) });
    expect(groups[0]?.operations).toEqual([
      { operation: 'Decrypt', count: 3, firstAt: day(5), lastAt: day(9) },
      { operation: 'GenerateDataKey', count: 1, firstAt: day(2), lastAt: day(2) },
    ]);
  });

  it('are asked for by a pattern of the principal in which only the star is special', () => {
    expect(likePattern('arn:aws:sts::1:assumed-role/a_b%c\\d/*')).toBe('arn:aws:sts::1:assumed-role/a\\_b\\%c\\\\d/%');
  });

  it('are not limited by what the filter leaves out', async () => {
    let asked: readonly unknown[] = [];
    const query = <Row>(_: string, values: readonly unknown[] = []): Promise<Row[]> => {
      asked = values;
      return Promise.resolve([]);
    };
    await readKeyUses(query, { ebsId: 'vol-1' });
    expect(asked).toEqual([null, null, 'vol-1', null, null, null]);
  });
});
