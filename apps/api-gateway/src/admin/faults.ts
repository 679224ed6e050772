import { randomUUID } from 'node:crypto';
import { accountId, AwsError, region, volumeId } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

const NOBODY = accountId('000000000000');
const TIMEOUT_MS = 10_000;

const probability = z.number().min(0).max(1).optional();
const faultsFields = z.strictObject({
  seed: z.int(),
  readErrors: probability,
  writeErrors: probability,
  flushErrors: probability,
  tornWrites: probability,
  delays: probability,
  delayMs: z.number().min(0).max(60_000).optional(),
  storeUnavailable: z.boolean().optional(),
  loseUnsyncedWrites: z.boolean().optional(),
});
/** Half a delay delays nothing. */
const faultsSchema = faultsFields.refine(({ delays, delayMs }) => (delays === undefined) === (delayMs === undefined), {
  error: 'delays and delayMs go together',
});
const bodySchema = z.strictObject({
  volumeId: z.string().transform((id, context) => {
    try {
      return volumeId(id);
    } catch {
      context.addIssue('not a volume id');
      return z.NEVER;
    }
  }),
  /** Null: nothing goes wrong any more. */
  faults: faultsSchema.nullable(),
  losePower: z.boolean().optional(),
});

/** `/_holdfast/faults`: what goes wrong on a volume's device, by a seed. Registered in development mode only. */
export const faultRoutes = (app: FastifyInstance, requests: Pick<Requests, 'call'>): void => {
  app.post('/_holdfast/faults', async (request, reply) => {
    const body = bodySchema.safeParse(request.body ?? {});
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    try {
      await requests.call('data-plane', 'SetFaults', body.data, {
        requestId: randomUUID(),
        accountId: NOBODY,
        region: region('us-east-1'),
        principal: { type: 'AWSService', arn: 'api-gateway', accountId: NOBODY, principalId: 'api-gateway' },
        sourceIp: 'api-gateway',
        userAgent: 'api-gateway',
        deadlineMs: Date.now() + TIMEOUT_MS,
      });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return reply.code(error.code === 'VolumeNotFound' ? 404 : 409).send({ error: `${error.code}: ${error.message}` });
    }
    return { volumeId: body.data.volumeId, faults: body.data.faults };
  });
};
