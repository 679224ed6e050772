import { randomUUID } from 'node:crypto';
import { accountId, type RequestContext, region } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { SERVICES } from '../aws/operation-owners.ts';

/** How long a service may take to say that it is there, in milliseconds. */
const PING_TIMEOUT_MS = 1000;

const NOBODY = accountId('000000000000');

const pingContext = (): RequestContext => ({
  requestId: randomUUID(),
  accountId: NOBODY,
  region: region('us-east-1'),
  principal: { type: 'AWSService', arn: 'api-gateway', accountId: NOBODY, principalId: 'api-gateway' },
  sourceIp: 'api-gateway',
  userAgent: 'api-gateway',
  deadlineMs: Date.now() + PING_TIMEOUT_MS,
});

export interface Health {
  status: 'ok' | 'unavailable';
  services: Record<string, 'ok' | 'unavailable'>;
}

/** Asks every service; `ok` once all of them answer. */
export const health = async (requests: Requests): Promise<Health> => {
  const answers = await Promise.all(
    SERVICES.map(async (service): Promise<[string, 'ok' | 'unavailable']> => {
      try {
        await requests.request(service, 'Ping', {}, pingContext());
        return [service, 'ok'];
      } catch {
        return [service, 'unavailable'];
      }
    }),
  );
  const status = answers.every(([, answer]) => answer === 'ok') ? 'ok' : 'unavailable';
  return { status, services: Object.fromEntries(answers) };
};
