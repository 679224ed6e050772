import type { IncomingHttpHeaders } from 'node:http';
import { resetServices, turnClocks } from '@holdfast/service-kit';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { SERVICES } from '../aws/operation-owners.ts';

type Connection = Parameters<typeof resetServices>[0];

/** Either where the clock shall be, or how far it shall be turned from where it is; nothing: back to the system's time. */
const turnSchema = z.union([
  z.object({ time: z.iso.datetime() }).strict(),
  z.object({ advanceSeconds: z.number() }).strict(),
  z.object({}).strict(),
]);

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d+)?$/;

/** A web page in the developer's browser can send requests to loopback, too; only our own pages may. */
const isFromElsewhere = ({ host, origin }: IncomingHttpHeaders): boolean =>
  !LOOPBACK.test(host ?? '') || (origin !== undefined && origin !== `http://${host ?? ''}`);

export interface TurnableClock {
  now(): Date;
}

/** `/_holdfast/reset` and `/_holdfast/clock`: registered in development mode only. */
export const developmentRoutes = (app: FastifyInstance, connection: Connection, clock: TurnableClock): void => {
  const services = [...SERVICES, 'api-gateway'];
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'POST' && isFromElsewhere(request.headers)) {
      await reply.code(403).send({ error: 'development requests are for local programs' });
    }
  });
  app.post('/_holdfast/reset', async () => {
    await resetServices(connection, services);
    return { reset: true };
  });
  app.get('/_holdfast/clock', () => ({ time: clock.now().toISOString() }));
  app.post('/_holdfast/clock', async (request, reply) => {
    const turn = turnSchema.safeParse(request.body ?? {});
    if (!turn.success) {
      return reply.code(400).send({ error: 'give {"time": "<ISO-8601>"}, {"advanceSeconds": <number>} or {}' });
    }
    await turnClocks(connection, services, offsetMs(turn.data, clock));
    return { time: clock.now().toISOString() };
  });
};

const offsetMs = (turn: z.infer<typeof turnSchema>, clock: TurnableClock): number => {
  if ('time' in turn) return Date.parse(turn.time) - Date.now();
  if ('advanceSeconds' in turn) return clock.now().getTime() - Date.now() + turn.advanceSeconds * 1000;
  return 0;
};
