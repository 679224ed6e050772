import { accountId, type Instant, region } from '@holdfast/contracts';
import type { AppendOptions } from '../types.ts';

/** Events as tests use them; `note` is free text. */
export type CounterEvent =
  { readonly type: 'Counted'; readonly by: number; readonly note?: string } | { readonly type: 'Cleared' };

export const counted = (by: number, note?: string): CounterEvent => ({ type: 'Counted', by, ...(note === undefined ? {} : { note }) }); // prettier-ignore

const account = accountId('123456789012');

export const appendOptions: AppendOptions = {
  metadata: {
    caller: {
      requestId: 'a1b2c3d4-0000-4000-8000-000000000001',
      accountId: account,
      region: region('eu-central-1'),
      principal: { type: 'Root', arn: `arn:aws:iam::${account}:root`, accountId: account, principalId: account },
      sourceIp: '127.0.0.1',
      userAgent: 'spec',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
  },
  time: '2026-01-02T03:04:05.678Z' as Instant,
};
