import { describe, expect, it } from 'vitest';
import { MemoryBackend } from './testing/memory-backend.ts';
import { DelayedBackend, TransmissionDriver } from './testing/transmission-driver.ts';
import { Command, NbdErrno } from './wire.ts';

const SIZE = 4096;
const { Read, Write, Flush } = Command;
const pattern = (length: number, seed = 1): Buffer => Buffer.alloc(length, seed);

describe.each([true, false])('a transmission that ends, structured replies: %s', (structuredReplies) => {
  it('refuses with ESHUTDOWN once it is shutting down', () => {
    const driver = new TransmissionDriver(new MemoryBackend(SIZE), { structuredReplies });
    driver.transmission.shutDown('for-good');
    expect(driver.ask({ type: Write, data: pattern(4) }).errno).toBe(NbdErrno.ESHUTDOWN);
    expect(driver.ask({ type: Read, lengthBytes: 4 }).errno).toBe(NbdErrno.ESHUTDOWN);
  });

  it('answers nothing but what went well once it shuts down to return', async () => {
    const backend = new DelayedBackend(new MemoryBackend(SIZE));
    const driver = new TransmissionDriver(backend, { structuredReplies });
    const beyond = { type: Read, offsetBytes: SIZE, lengthBytes: 4 };
    driver.feed(driver.encode({ type: Write, data: pattern(4) }));
    driver.feed(driver.encode({ type: Read, lengthBytes: 4 }));
    backend.failNext = true;
    driver.feed(driver.encode({ type: Read, lengthBytes: 4 }));
    backend.failNext = true;
    driver.feed(driver.encode({ type: Flush }));
    driver.transmission.shutDown('to-return');
    for (const late of [
      { type: Write, data: pattern(4, 9) },
      { type: Read, lengthBytes: 4 },
      { type: Flush },
      beyond,
    ]) {
      driver.feed(driver.encode(late));
    }
    expect(backend.waiting).toBe(4);
    while (backend.waiting > 0) await backend.finishOne(0);
    expect(driver.replies().map(({ errno, data }) => [errno, data?.length])).toEqual([
      [0, undefined],
      [0, 4],
    ]);
    expect(driver.transmission).toMatchObject({ requestsUnderWay: 0, bytesInFlight: 0 });
  });
});
