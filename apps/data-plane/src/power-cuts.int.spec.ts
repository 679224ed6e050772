import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';

/** More of them after changing anything: each takes about half a second. */
const ROUNDS = Number(process.env['HOLDFAST_POWER_CUT_ROUNDS'] ?? 8);
const UNIT = 4096;
const WRITERS = 6;
const UNITS_EACH = 50;

let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
});
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

/** Stamped all over, so that a torn unit is none of what was written. */
const unitOf = (number: number): Buffer => {
  const unit = Buffer.alloc(UNIT);
  for (let at = 0; at < UNIT; at += 4) unit.writeUInt32BE(number, at);
  return unit;
};

/** By unit, numbers that were sent to it: the first is surely there, the others may be instead. */
type Histories = number[][];

/** Writes to units of its own, flushes now and then, and ends with its connection. */
const write = async (client: NbdClient, histories: Histories, place: number, next: () => number): Promise<void> => {
  let answered = new Map<number, number>();
  try {
    for (let each = 0; ; each++) {
      const unit = place * UNITS_EACH + (next() % UNITS_EACH);
      const number = next();
      histories[unit]?.push(number);
      const fua = each % 17 === 0;
      await client.write(unit * UNIT, unitOf(number), { fua });
      answered.set(unit, number);
      if (fua) histories[unit] = [number];
      if (each % 9 !== 0) continue;
      await client.flush();
      for (const [flushed, last] of answered) {
        const history = histories[flushed] ?? [];
        histories[flushed] = history.slice(history.indexOf(last));
      }
      answered = new Map();
    }
  } catch {
    // The host is gone.
  }
};

it(
  `${ROUNDS} losses of power of a busy block host take nothing that was flushed`,
  { timeout: 300_000 + ROUNDS * 30_000 },
  async () => {
    const { volumeId, socketPath } = await host.attached({ key: 'power' });
    const histories: Histories = Array.from({ length: WRITERS * UNITS_EACH }, () => [0]);
    let [number, lost] = [0, 0];
    const next = () => ++number;
    const connected = async (): Promise<NbdClient> => {
      let client: NbdClient | undefined;
      await until('the device is back', async () => {
      client = await NbdClient.connect(socketPath).catch(() => undefined);
      return client !== undefined;
    }); // prettier-ignore
      return client!;
    };
    const faults = (seed: number) => ({ seed, loseUnsyncedWrites: true });
    await host.call('SetFaults', { volumeId, faults: faults(0) });
    for (let round = 1; round <= ROUNDS; round++) {
      const clients = await Promise.all(Array.from({ length: WRITERS }, connected));
      const before = number;
      const writers = Promise.all(clients.map((client, place) => write(client, histories, place, next)));
      await until('there is something to lose', () => number - before > 400 + (round % 7) * 40);
      await host.call('SetFaults', { volumeId, faults: faults(round), losePower: true });
      await writers;
      const client = await connected();
      const found = await client.read(0, histories.length * UNIT);
      for (const [unit, history] of histories.entries()) {
        const now = found.subarray(unit * UNIT, (unit + 1) * UNIT);
        const which = history.indexOf(now.readUInt32BE(0));
        expect(which, `round ${round}: unit ${unit} holds ${now.readUInt32BE(0)}, not of ${history.join()}`).not.toBe(
          -1,
        );
        expect(now.equals(unitOf(history[which]!)), `round ${round}: unit ${unit} is torn`).toBe(true);
        if (which < history.length - 1) lost++;
        histories[unit] = [history[which]!];
      }
      // What is there now must outlast the next round.
      await client.flush();
      await client.close();
    }
    expect(lost).toBeGreaterThan(0);
  },
);
