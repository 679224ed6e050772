import fc from 'fast-check';
import { callerOf } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import type { Delivery } from './delivery.ts';
import { Lanes } from './lanes.ts';
import { silentLogger } from './logger.ts';
import { testContext } from './testing/context.ts';

const body = (streamId: string, version: number): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      eventId: `${streamId}/${String(version)}`,
      streamId,
      version,
      globalPosition: version,
      type: 'Happened',
      schemaVersion: 1,
      data: { type: 'Happened' },
      metadata: { caller: callerOf(testContext()) },
      time: '2026-01-01T00:00:00.000Z',
    }),
  );

/** A delivery that writes down what became of it. */
const delivery = (streamId: string, version: number, fates: string[]): Delivery => {
  const name = `${streamId}/${String(version)}`;
  return {
    key: name,
    subject: 'volumes.event.Happened.v1',
    body: body(streamId, version),
    headers: [],
    deliveryCount: 1,
    ack: () => void fates.push(`ack ${name}`),
    release: (delayMs) => void fates.push(`release ${name} ${String(delayMs)}`),
    park: async () => void fates.push(`park ${name}`),
    working: () => void fates.push(`working ${name}`),
  };
};

const lanesOf = (handle: (name: string, failed: number) => Promise<void>, concurrency = 2, maxAttempts = 3) => {
  const failures = new Map<string, number>();
  return new Lanes({
    label: 'snapshots/test',
    source: 'volumes',
    concurrency,
    maxAttempts,
    backoffMs: () => 0,
    logger: silentLogger,
    onOutcome: () => undefined,
    handlers: {
      Happened: async ({ eventId }) => {
        const failed = failures.get(eventId) ?? 0;
        failures.set(eventId, failed + 1);
        await handle(eventId, failed);
      },
    },
  });
};

describe('lanes', () => {
  it('settle each event once, in the order of its stream, whatever fails', async () => {
    const event = fc.record({ stream: fc.integer({ min: 0, max: 3 }), failures: fc.integer({ min: 0, max: 4 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 30 }),
        fc.integer({ min: 1, max: 4 }),
        async (events, concurrency) => {
          const versions = new Map<number, number>();
          const planned = events.map(({ stream, failures }) => {
            const version = (versions.get(stream) ?? 0) + 1;
            versions.set(stream, version);
            return { stream: `s${String(stream)}`, version, failures };
          });
          const toFail = new Map(
            planned.map(({ stream, version, failures }) => [`${stream}/${String(version)}`, failures]),
          );
          const fates: string[] = [];
          let running = 0;
          const lanes = lanesOf(async (name, failed) => {
            expect(++running).toBeLessThanOrEqual(concurrency);
            await Promise.resolve();
            running--;
            if (failed < (toFail.get(name) ?? 0)) throw new Error('not yet');
          }, concurrency);
          await Promise.all(planned.map(({ stream, version }) => lanes.take(delivery(stream, version, fates))));
          for (const stream of versions.keys()) {
            const mine = planned.filter((each) => each.stream === `s${String(stream)}`);
            const expected = mine.map(
              (each) => `${each.failures < 3 ? 'ack' : 'park'} ${each.stream}/${String(each.version)}`,
            );
            expect(fates.filter((fate) => fate.includes(` s${String(stream)}/`))).toEqual(expected);
          }
          expect(lanes.size).toBe(0);
        },
      ),
    );
  });

  it('drop a second delivery of what they hold', async () => {
    const fates: string[] = [];
    let runs = 0;
    const lanes = lanesOf(async () => void runs++);
    const taken = [lanes.take(delivery('s', 1, fates)), lanes.take(delivery('s', 1, fates))];
    expect(await Promise.all(taken)).toEqual([null, 'it is being handled already']);
    expect([runs, fates]).toEqual([1, ['ack s/1']]);
  });

  it('finish what runs and give back the rest when they are drained, and can be used again', async () => {
    const fates: string[] = [];
    let release = (): void => undefined;
    const opened = new Promise<void>((resolve) => (release = resolve));
    const lanes = lanesOf(() => opened, 1);
    void lanes.take(delivery('a', 1, fates));
    void lanes.take(delivery('a', 2, fates));
    void lanes.take(delivery('b', 1, fates));
    lanes.working();
    expect(fates.splice(0)).toEqual(['working a/1', 'working a/2', 'working b/1']);
    await new Promise((resolve) => setImmediate(resolve));
    const drained = lanes.drain();
    release();
    await drained;
    expect(fates.splice(0).sort()).toEqual(['ack a/1', 'release a/2 0', 'release b/1 0']);
    expect(await lanes.take(delivery('a', 2, fates))).toBeNull();
    expect(fates).toEqual(['ack a/2']);
  });

  it('say when there is room', async () => {
    const fates: string[] = [];
    let release = (): void => undefined;
    const opened = new Promise<void>((resolve) => (release = resolve));
    const lanes = lanesOf(() => opened);
    void lanes.take(delivery('a', 1, fates));
    let room = false;
    const waited = lanes.roomBelow(1, new AbortController().signal).then(() => (room = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(room).toBe(false);
    release();
    await waited;
    expect(lanes.size).toBe(0);
  });
});
