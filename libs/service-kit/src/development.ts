/**
 * What development mode adds to every service: a clock that can be turned and a state that can be emptied, both by a
 * broadcast that each service answers once it has done its part. A production start subscribes to none of it.
 */
import { createInbox, type Msg, type NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';

const CLOCK = 'dev.clock';
const CURRENT_CLOCK = 'dev.clock.current';
const RESET = 'dev.reset';

/** How long a starting service waits to be told how far the others' clocks are turned, in milliseconds. */
const ASK_TIMEOUT_MS = 500;

const turnSchema = z.object({ offsetMs: z.number() });
/**
 * `pause`: stop handling events; `clear`: empty everything; `resume`: go on. One phase ends everywhere before the next one
 * begins, so that no service reacts to another one's past.
 */
const resetSchema = z.object({ phase: z.enum(['pause', 'clear', 'resume']) });
export type ResetPhase = z.infer<typeof resetSchema>['phase'];

const answerSchema = z.object({ service: z.string(), problem: z.string().optional() });

export interface DevelopmentHooks {
  readonly service: string;
  readonly clock: { readonly offsetMs: number; turnTo(offsetMs: number): void };
  reset(phase: ResetPhase): Promise<void>;
}

/** Takes over the clock of the services that already run, then answers broadcasts. */
export const listenForDevelopment = async (connection: NatsConnection, hooks: DevelopmentHooks): Promise<void> => {
  const answering = (work: (message: Msg) => Promise<void> | void) => async (message: Msg) => {
    let problem: string | undefined;
    try {
      await work(message);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (!connection.isClosed()) message.respond(JSON.stringify({ service: hooks.service, problem }));
  };
  const onClock = answering((message) => hooks.clock.turnTo(turnSchema.parse(message.json()).offsetMs));
  const onReset = answering((message) => hooks.reset(resetSchema.parse(message.json()).phase));
  const offset = await connection
    .request(CURRENT_CLOCK, '', { timeout: ASK_TIMEOUT_MS })
    .then((reply) => turnSchema.parse(reply.json()).offsetMs)
    .catch(() => 0); // Nobody runs yet.
  hooks.clock.turnTo(offset);
  connection.subscribe(CLOCK, { callback: (_, message) => void onClock(message) });
  connection.subscribe(RESET, { callback: (_, message) => void onReset(message) });
  connection.subscribe(CURRENT_CLOCK, {
    callback: (_, message) => void message.respond(JSON.stringify({ offsetMs: hooks.clock.offsetMs })),
  });
  await connection.flush();
};

/** Sends `body` to every service and waits until each of `services` answered. @throws naming those that failed. */
const broadcast = async (
  connection: NatsConnection,
  subject: string,
  body: object,
  services: readonly string[],
  timeoutMs: number,
): Promise<void> => {
  const missing = new Set(services);
  const problems: string[] = [];
  const inbox = createInbox();
  let answered = (): void => undefined;
  const all = new Promise<void>((resolve) => (answered = resolve));
  const answers = connection.subscribe(inbox, {
    callback: (_, message) => {
      const answer = answerSchema.safeParse(message.data.length === 0 ? null : message.json());
      if (!answer.success) return; // The server's own `no responders`.
      const { service, problem } = answer.data;
      if (problem !== undefined) problems.push(`${service}: ${problem}`);
      missing.delete(service);
      if (missing.size === 0) answered();
    },
  });
  const timer = setTimeout(answered, timeoutMs);
  if (missing.size === 0) answered();
  connection.publish(subject, JSON.stringify(body), { reply: inbox });
  await all;
  clearTimeout(timer);
  answers.unsubscribe();
  const silent = [...missing].map((service) => `${service}: no answer in ${String(timeoutMs)} ms`);
  if (silent.length + problems.length > 0) throw new Error([...problems, ...silent].join('; '));
};

/** Development mode: turns the clock of all of `services` to the system's time plus `offsetMs`. */
export const turnClocks = (
  connection: NatsConnection,
  services: readonly string[],
  offsetMs: number,
  timeoutMs = 2000,
): Promise<void> => broadcast(connection, CLOCK, { offsetMs }, services, timeoutMs);

/** Development mode: empties all of `services`. @throws Error naming the services that could not; all go on afterwards. */
export const resetServices = async (
  connection: NatsConnection,
  services: readonly string[],
  timeoutMs = 5000,
): Promise<void> => {
  const run = (phase: ResetPhase) => broadcast(connection, RESET, { phase }, services, timeoutMs);
  try {
    await run('pause');
    await run('clear');
  } finally {
    await run('resume');
  }
};
