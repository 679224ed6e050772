import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type RunningNats, startNats } from '@holdfast/embedded';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Bus, connectBus } from './bus.ts';
import { ConnectionLost, ServiceUnavailable } from './errors.ts';
import { LocalResponders } from './local-responders.ts';
import { testContext } from './testing/context.ts';
import { eventually } from './testing/eventually.ts';
import { askTotal, serveTotals } from './testing/example.ts';
import { TestSource } from './testing/events.ts';
import type { DeliveredEvent } from './types.ts';

/** A server of this suite's own, to be killed. */
let nats: RunningNats;
let folder: string;
let port: number;
let bus: Bus;
let source: TestSource;
const seen: DeliveredEvent[] = [];

const start = () => startNats({ storeDir: join(folder, 'nats'), port, user: 'test', password: 'test' });
const kill = async (): Promise<void> => {
  process.kill(nats.pid, 'SIGKILL');
  await nats.exited;
};
const reconnected = () => eventually(() => bus.connection.flush().then(() => bus.connection.info?.port)).toBe(port);
const versions = () => seen.map(({ streamId, version }) => `${streamId}/${String(version)}`);

beforeEach(async () => {
  seen.length = 0;
  folder = await mkdtemp(join(tmpdir(), 'holdfast-messaging-'));
  port = await freePort();
  nats = await start();
  bus = await connectBus({ nats: { servers: nats.servers, user: 'test', password: 'test' }, name: 'test' });
  source = new TestSource(bus, 'volumes');
  await source.createStream();
});
afterEach(async () => {
  await bus.close();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

const consume = () =>
  bus.consume({
    name: 'test',
    owner: 'snapshots',
    source: 'volumes',
    handlers: { Happened: async (event: DeliveredEvent) => void seen.push(event) },
  });

it('works as the README says', async () => {
  const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8');
  const example = (await read('./testing/example.ts')).replace('../index.ts', '@holdfast/messaging');
  expect(await read('../README.md')).toContain(`\`\`\`ts\n${example}\`\`\``);

  await serveTotals(bus);
  const context = testContext();
  await source.emit('volume-1', 'VolumeCreated', { sizeGiB: 8 });
  const repeated = await source.emit('volume-2', 'VolumeCreated', { sizeGiB: 100 });
  await source.publish({ ...repeated, globalPosition: 3 });
  await eventually(() => askTotal(bus, context)).toEqual({ total: 216, for: context.accountId });
});

it('serves and asks again after the server was killed', async () => {
  await bus.serveRequests('volumes', { Work: async () => 'done' });
  expect(await bus.request('volumes', 'Work', {}, testContext())).toBe('done');
  await kill();
  nats = await start();
  await eventually(() => bus.request('volumes', 'Work', {}, testContext(500)).catch(() => null)).toBe('done'); // prettier-ignore
  await expect(bus.request('kms', 'Work', {}, testContext())).rejects.toBeInstanceOf(ServiceUnavailable);
});

it('tells who waits for an answer that the server died, long before their deadline', async () => {
  let begun: () => void = () => undefined;
  const working = new Promise<void>((resolve) => (begun = resolve));
  await bus.serveRequests('volumes', {
    Work: () => {
      begun();
      return new Promise((resolve) => setTimeout(resolve, 200));
    },
  });
  const waiting = bus.request('volumes', 'Work', {}, testContext(600_000));
  const refusal = expect(waiting).rejects.toBeInstanceOf(ConnectionLost);
  await working;
  await kill();
  await refusal;
  nats = await start();
});

it('asks services of its own process while the server is away, and does not say that they are there', async () => {
  const local = new LocalResponders();
  const access = { servers: nats.servers, user: 'test', password: 'test' };
  const [asker, server] = await Promise.all(
    ['asker', 'server'].map((name) => connectBus({ nats: access, name, local })),
  );
  await server!.serveRequests('volumes', { Work: async () => 'done' });
  await kill();
  expect(await asker!.request('volumes', 'Work', {}, testContext(600_000))).toBe('done');
  await eventually(() => asker!.request('volumes', 'Ping', {}, testContext()).catch((e: unknown) => e)).toBeInstanceOf(ServiceUnavailable); // prettier-ignore
  nats = await start();
  await eventually(() => asker!.request('volumes', 'Ping', {}, testContext(500)).catch(() => null)).toEqual({ service: 'volumes' }); // prettier-ignore
  await Promise.all([asker!.close(), server!.close()]);
});

it('refuses at once what is asked while the server is away, since nothing would be sent later', async () => {
  await bus.serveRequests('volumes', { Work: async () => 'done' });
  await kill();
  const ask = () => bus.request('volumes', 'Work', {}, testContext(600_000));
  const nothing = () => undefined;
  await ask().catch(nothing); // Until the loss is noticed it is a request in flight.
  await expect(ask()).rejects.toBeInstanceOf(ServiceUnavailable);
  nats = await start();
  await eventually(() => ask().catch(nothing)).toBe('done');
});

it('goes on with the event after the last acknowledged one when the server kept its storage', async () => {
  consume();
  await source.emit('s-1', 'Happened');
  await eventually(versions).toEqual(['s-1/1']);
  const jsm = await jetstreamManager(bus.connection);
  await eventually(async () => (await jsm.consumers.info('EVENTS-volumes', 'snapshots-test')).ack_floor.stream_seq).toBe(1); // prettier-ignore
  await nats.stop(); // What is killed may not have written the acknowledgement yet.
  nats = await start();
  await reconnected();
  await source.emit('s-2', 'Happened');
  await eventually(versions).toContain('s-2/1');
  expect(versions().filter((version) => version === 's-1/1')).toHaveLength(1);
});

it('handles the whole history again when the server lost its storage and the source published it anew', async () => {
  consume();
  const history = [await source.emit('s-1', 'Happened'), await source.emit('s-1', 'Happened')];
  await eventually(versions).toEqual(['s-1/1', 's-1/2']);
  await kill();
  await rm(join(folder, 'nats'), { recursive: true });
  nats = await start();
  await reconnected();
  await source.createStream();
  await source.publish(...history, source.event('s-1', 'Happened'));
  await eventually(versions).toEqual(['s-1/1', 's-1/2', 's-1/1', 's-1/2', 's-1/3']);
});

it('handles what it held when the server went away, and does not acknowledge it to a stream made anew', async () => {
  const releases = new Map<string, () => void>();
  bus.consume({
    name: 'slow',
    owner: 'snapshots',
    source: 'volumes',
    handlers: {
      Happened: ({ streamId }: DeliveredEvent) => new Promise<void>((resolve) => releases.set(streamId, resolve)),
    },
  });
  const unacknowledged = async () => {
    const jsm = await jetstreamManager(bus.connection);
    return (await jsm.consumers.info('EVENTS-volumes', 'snapshots-slow')).num_ack_pending;
  };
  await source.emit('before', 'Happened');
  await eventually(() => [...releases.keys()]).toEqual(['before']);
  await kill();
  await rm(join(folder, 'nats'), { recursive: true });
  nats = await start();
  await reconnected();
  await source.createStream();
  await source.emit('after', 'Happened'); // Sequence 1 is now this event's.
  await eventually(() => [...releases.keys()]).toEqual(['before', 'after']);
  releases.get('before')?.();
  await source.emit('last', 'Happened');
  await eventually(() => [...releases.keys()]).toEqual(['before', 'after', 'last']);
  expect(await unacknowledged()).toBe(2);
  releases.get('after')?.();
  releases.get('last')?.();
  await eventually(unacknowledged).toBe(0);
});

it('closes in time although the server is gone', async () => {
  await bus.serveRequests('volumes', { Work: async () => 'done' });
  consume();
  await source.emit('s-1', 'Happened');
  await eventually(versions).toEqual(['s-1/1']);
  await kill();
  const began = Date.now();
  await bus.close();
  expect(Date.now() - began).toBeLessThan(60_000);
  expect(bus.connection.isClosed()).toBe(true);
});
