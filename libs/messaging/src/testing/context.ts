import { accountId, region, type RequestContext } from '@holdfast/contracts';
import { randomUUID } from 'node:crypto';

/** A root user's request context, due in `remainingMs`. */
export const testContext = (remainingMs = 60_000, fields: Partial<RequestContext> = {}): RequestContext => ({
  requestId: randomUUID(),
  accountId: accountId('111122223333'),
  region: region('eu-central-1'),
  principal: {
    type: 'Root',
    arn: 'arn:aws:iam::111122223333:root',
    accountId: accountId('111122223333'),
    principalId: '111122223333',
  },
  sourceIp: '127.0.0.1',
  userAgent: 'test',
  deadlineMs: Date.now() + remainingMs,
  ...fields,
});
