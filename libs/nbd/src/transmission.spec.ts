import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryBackend } from './testing/memory-backend.ts';
import { DelayedBackend, TransmissionDriver, type RequestToSend } from './testing/transmission-driver.ts';
import { AllocationFlag, Command, CommandFlag, NbdErrno } from './wire.ts';

const KIB = 1024;
const SIZE = 256 * KIB;
const { Read, Write, Trim, WriteZeroes, Flush, Cache, BlockStatus, Disconnect } = Command;
const HOLE = AllocationFlag.Hole | AllocationFlag.Zero;

const pattern = (length: number, seed = 1): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 7 + seed) % 251));
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe.each([true, false])('requests, structured replies: %s', (structuredReplies) => {
  const start = (backend = new MemoryBackend(SIZE)) => new TransmissionDriver(backend, { structuredReplies });

  it('reads what was written, at any byte', () => {
    const driver = start();
    expect(driver.ask({ type: Write, offsetBytes: 513, data: pattern(1000) }).errno).toBe(0);
    const { errno, data } = driver.ask({ type: Read, offsetBytes: 500, lengthBytes: 1100 });
    expect(errno).toBe(0);
    expect(data).toEqual(Buffer.concat([Buffer.alloc(13), pattern(1000), Buffer.alloc(87)]));
  });

  it('reads at the very end and refuses one byte beyond it', () => {
    const driver = start();
    expect(driver.ask({ type: Read, offsetBytes: SIZE - 1, lengthBytes: 1 }).data).toEqual(Buffer.alloc(1));
    expect(driver.ask({ type: Read, offsetBytes: SIZE - 1, lengthBytes: 2 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Write, offsetBytes: SIZE - 1, data: pattern(2) }).errno).toBe(NbdErrno.ENOSPC);
    expect(driver.ask({ type: WriteZeroes, offsetBytes: SIZE, lengthBytes: 1 }).errno).toBe(NbdErrno.ENOSPC);
    expect(driver.ask({ type: Trim, offsetBytes: SIZE, lengthBytes: 1 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Cache, offsetBytes: SIZE, lengthBytes: 1 }).errno).toBe(NbdErrno.EINVAL);
  });

  it.each([2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 4096n, 2n ** 53n, 2n ** 53n - 1n])(
    'refuses offset %s, whose end overflows',
    (offsetBytes) => {
      const driver = start();
      for (const type of [Read, Trim, WriteZeroes, Cache]) {
        expect(driver.ask({ type, offsetBytes, lengthBytes: 4096 }).errno).not.toBe(0);
      }
      expect(driver.ask({ type: Write, offsetBytes, data: pattern(4096) }).errno).toBe(NbdErrno.ENOSPC);
      expect(driver.ask({ type: Read, lengthBytes: 1 }).errno).toBe(0);
    },
  );

  it('refuses empty ranges, unknown commands and unknown flags', () => {
    const driver = start();
    for (const type of [Read, Trim, WriteZeroes, Cache]) expect(driver.ask({ type }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Write, data: Buffer.alloc(0) }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: 77, lengthBytes: 1 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: 0xffff, lengthBytes: 1 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Read, lengthBytes: 1, flags: 0x8000 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Write, data: pattern(1), flags: CommandFlag.NoHole }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Flush, lengthBytes: 1 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.stats.snapshot().commands.find(({ command }) => command === 'unknown')?.errors).toBe(2);
  });

  it('refuses a read larger than the maximum', () => {
    const driver = new TransmissionDriver(new MemoryBackend(SIZE), { structuredReplies, maxPayloadBytes: 8192 });
    expect(driver.ask({ type: Read, lengthBytes: 8193 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Cache, lengthBytes: 8193 }).errno).toBe(NbdErrno.EINVAL);
    expect(driver.ask({ type: Read, lengthBytes: 8192 }).errno).toBe(0);
  });

  it('changes nothing on a read-only export', () => {
    const driver = start(new MemoryBackend(SIZE, { readOnly: true }));
    expect(driver.ask({ type: Write, data: pattern(1) }).errno).toBe(NbdErrno.EPERM);
    expect(driver.ask({ type: Trim, lengthBytes: 1 }).errno).toBe(NbdErrno.EPERM);
    expect(driver.ask({ type: WriteZeroes, lengthBytes: 1 }).errno).toBe(NbdErrno.EPERM);
    expect(driver.ask({ type: Read, lengthBytes: 1 }).errno).toBe(0);
  });

  it('flushes before it answers a command with FUA, and only then', async () => {
    const backend = new MemoryBackend(SIZE);
    const driver = start(backend);
    driver.ask({ type: Write, data: pattern(10) });
    expect(backend.flushes).toBe(0);
    const withFua: RequestToSend[] = [
      { type: Write, offsetBytes: 1000, data: pattern(10) },
      { type: Trim, lengthBytes: 5 },
      { type: WriteZeroes, offsetBytes: 1000, lengthBytes: 5 },
    ];
    for (const [index, request] of withFua.entries()) {
      const answered = driver.replies().length;
      driver.feed(driver.encode({ ...request, flags: CommandFlag.Fua }));
      expect(driver.replies()).toHaveLength(answered);
      await settle();
      expect(driver.replies()).toHaveLength(answered + 1);
      expect(driver.last().errno).toBe(0);
      expect(backend.flushes).toBe(index + 1);
      expect(backend.durable.equals(backend.bytes)).toBe(true);
    }
  });

  it.each([
    ['ENOSPC', NbdErrno.ENOSPC],
    ['EROFS', NbdErrno.EPERM],
    ['EIO', NbdErrno.EIO],
    ['ENOMEM', NbdErrno.ENOMEM],
    ['ERR_SOMETHING', NbdErrno.EIO],
    [undefined, NbdErrno.EIO],
  ])('answers a backend that fails with %s, at once or later', async (code, errno) => {
    const failure = Object.assign(new Error('disk'), code === undefined ? {} : { code });
    for (const fail of [
      () => {
        throw failure;
      },
      () => Promise.reject(failure),
    ]) {
      const backend = new MemoryBackend(SIZE);
      Object.assign(backend, { read: fail, write: fail, trim: fail, writeZeroes: fail, flush: fail, extents: fail });
      const driver = start(backend);
      const types = [Read, Write, Trim, WriteZeroes, Flush, Cache];
      for (const type of types) {
        const range = type === Flush ? {} : type === Write ? { data: pattern(8) } : { lengthBytes: 8 };
        driver.feed(driver.encode({ type, ...range }));
        await settle();
        expect(driver.last().errno).toBe(errno);
      }
      expect(driver.replies()).toHaveLength(types.length);
    }
  });

  it('serves nothing after DISC', () => {
    const driver = start();
    const write = driver.encode({ type: Write, data: pattern(4) });
    driver.feed(Buffer.concat([driver.encode({ type: Disconnect }), write]));
    expect(driver.state).toBe('done');
    driver.feed(write);
    expect(driver.replies()).toEqual([]);
  });

  it('parses the same requests however the bytes are cut', () => {
    const run = (cuts: (length: number) => number[]) => {
      const backend = new MemoryBackend(4096);
      const driver = start(backend);
      const bytes = Buffer.concat([
        driver.encode({ type: Write, offsetBytes: 3, data: pattern(40) }),
        driver.encode({ type: Read, offsetBytes: 0, lengthBytes: 50 }),
        driver.encode({ type: Write, offsetBytes: 20, data: pattern(5, 9) }),
        driver.encode({ type: Read, offsetBytes: 0, lengthBytes: 50 }),
      ]);
      driver.feed(bytes, cuts(bytes.length));
      return { replies: driver.replies(), bytes: backend.bytes.toString('hex', 0, 64), length: bytes.length };
    };
    const whole = run(() => []);
    expect(whole.replies).toHaveLength(4);
    for (let cut = 1; cut < whole.length; cut += 1) expect(run(() => [cut])).toEqual(whole);
    expect(run((length) => Array.from({ length }, (_, i) => i))).toEqual(whole);
  });

  it('answers nothing for a request that is cut short', () => {
    const request = start().encode({ type: Write, data: pattern(20) });
    for (let length = 0; length < request.length; length += 1) {
      const driver = start();
      driver.feed(request.subarray(0, length));
      expect(driver.state).toBe('more');
      expect(driver.replies()).toEqual([]);
    }
  });

  it.each([0, 1, 2, 3])('ends at a wrong byte %i of the magic', (index) => {
    const driver = start();
    const bytes = driver.encode({ type: Read, lengthBytes: 1 });
    bytes.writeUInt8((bytes.readUInt8(index) + 1) % 256, index);
    expect(() => driver.feed(bytes)).toThrow('wrong request magic');
  });

  it('ends at a write larger than the maximum, before its data', () => {
    const driver = start();
    const header = driver.encode({ type: Write, lengthBytes: 32 * KIB * KIB + 1 });
    expect(() => driver.feed(header)).toThrow('larger than the maximum');
  });
});

describe('structured replies', () => {
  const start = (backend = new MemoryBackend(1024 * KIB)) => new TransmissionDriver(backend);

  it('say where zeros are instead of sending them', () => {
    const driver = start();
    driver.ask({ type: Write, offsetBytes: 200 * KIB, data: pattern(4096) });
    const holes = driver.ask({ type: Read, offsetBytes: 0, lengthBytes: 512 * KIB });
    expect(holes.chunks).toEqual(['hole', 'data', 'hole']);
    expect(holes.data?.subarray(200 * KIB, 204 * KIB)).toEqual(pattern(4096));
    expect(holes.data?.subarray(0, 200 * KIB).equals(Buffer.alloc(200 * KIB))).toBe(true);
    expect(driver.ask({ type: Read, offsetBytes: 600 * KIB, lengthBytes: 4096 }).chunks).toEqual(['hole']);
  });

  it('carry offsets beyond 32 bits', () => {
    const TIB = 2 ** 40;
    const backend = new MemoryBackend(0);
    Object.defineProperty(backend, 'sizeBytes', { value: 16 * TIB });
    backend.read = (offsetBytes, target) => void target.fill(offsetBytes === 9 * TIB + 5 ? 3 : 4);
    const reply = start(backend).ask({ type: Read, offsetBytes: 9 * TIB + 5, lengthBytes: 100 });
    expect(reply.data).toEqual(Buffer.alloc(100, 3));
  });

  it('are one chunk when the client asked for that', () => {
    const driver = start();
    driver.ask({ type: Write, offsetBytes: 200 * KIB, data: pattern(4096) });
    const flags = CommandFlag.DontFragment;
    expect(driver.ask({ type: Read, lengthBytes: 512 * KIB, flags }).chunks).toEqual(['data']);
    expect(driver.ask({ type: Read, lengthBytes: 100 * KIB, flags }).chunks).toEqual(['hole']);
  });

  it('describe allocation, merged, cut to the range, and one extent only if asked', async () => {
    const driver = start();
    driver.ask({ type: Write, offsetBytes: 8 * KIB, data: pattern(8 * KIB) });
    driver.feed(driver.encode({ type: BlockStatus, offsetBytes: 4 * KIB, lengthBytes: 20 * KIB }));
    await settle();
    expect(driver.last().extents).toEqual([
      [4 * KIB, HOLE],
      [8 * KIB, 0],
      [8 * KIB, HOLE],
    ]);
    const flags = CommandFlag.RequestOne;
    driver.feed(driver.encode({ type: BlockStatus, offsetBytes: 4 * KIB, lengthBytes: 20 * KIB, flags }));
    await settle();
    expect(driver.last().extents).toEqual([[4 * KIB, HOLE]]);
  });

  it('do not describe allocation to a client that did not choose the context', () => {
    const driver = new TransmissionDriver(new MemoryBackend(SIZE), { allocationContext: false });
    expect(driver.ask({ type: BlockStatus, lengthBytes: 4096 }).errno).toBe(NbdErrno.EINVAL);
  });

  it('report an error for a backend that describes nothing', async () => {
    const backend = new MemoryBackend(SIZE);
    backend.extents = () => [];
    const driver = new TransmissionDriver(backend);
    driver.feed(driver.encode({ type: BlockStatus, lengthBytes: 4096 }));
    await settle();
    expect(driver.last().errno).toBe(NbdErrno.EIO);
  });
});

describe('write zeroes', () => {
  it('passes on whether the range may be trimmed, and refuses FAST_ZERO where it is slow', () => {
    const backend = new MemoryBackend(SIZE);
    const seen: boolean[] = [];
    const options = { type: WriteZeroes, lengthBytes: 4096 };
    Object.assign(backend, {
      fastZeroes: false,
      writeZeroes: (_: number, __: number, { mayTrim }: { mayTrim: boolean }) => void seen.push(mayTrim),
    });
    const driver = new TransmissionDriver(backend);
    expect(driver.ask(options).errno).toBe(0);
    expect(driver.ask({ ...options, flags: CommandFlag.NoHole }).errno).toBe(0);
    expect(driver.ask({ ...options, flags: CommandFlag.FastZero }).errno).toBe(NbdErrno.ENOTSUP);
    Object.assign(backend, { fastZeroes: true });
    expect(driver.ask({ ...options, flags: CommandFlag.FastZero }).errno).toBe(0);
    expect(seen).toEqual([true, false, true]);
  });
});

describe('a backend that takes its time', () => {
  it('is answered out of order, each request with its own bytes', async () => {
    const memory = new MemoryBackend(SIZE);
    memory.write(0, pattern(SIZE));
    const backend = new DelayedBackend(memory);
    const driver = new TransmissionDriver(backend);
    driver.feed(
      Buffer.concat([0, 1, 2, 3].map((i) => driver.encode({ type: Read, offsetBytes: i * 1000, lengthBytes: 500 }))),
    );
    expect(driver.transmission.requestsUnderWay).toBe(4);
    for (const pick of [2, 0, 1, 0]) await backend.finishOne(pick);
    const cookies = [...driver.asked.keys()];
    expect(driver.replies().map(({ cookie }) => cookies.indexOf(cookie))).toEqual([2, 0, 3, 1]);
    for (const { cookie, data } of driver.replies()) {
      const { offsetBytes } = driver.asked.get(cookie)!;
      expect(data).toEqual(pattern(SIZE).subarray(offsetBytes, offsetBytes + 500));
    }
    expect(driver.transmission.bytesInFlight).toBe(0);
  });

  it('stops the input at the limit of bytes in flight, and goes on when there is room', async () => {
    const backend = new DelayedBackend(new MemoryBackend(SIZE));
    const driver = new TransmissionDriver(backend, { maxBytesInFlight: 20_000 });
    driver.feed(Buffer.concat(Array.from({ length: 10 }, () => driver.encode({ type: Read, lengthBytes: 8192 }))));
    expect(driver.state).toBe('blocked');
    expect(backend.waiting).toBe(3);
    while (backend.waiting > 0) {
      expect(backend.waiting).toBeLessThanOrEqual(3);
      await backend.finishOne(0);
    }
    expect(driver.state).toBe('more');
    expect(driver.replies()).toHaveLength(10);
  });

  it('counts replies that no one reads, however small', () => {
    const driver = new TransmissionDriver(new MemoryBackend(SIZE), { maxBytesInFlight: 100_000 });
    const { transmission } = driver;
    let chunks = 0;
    const kept = [];
    while (chunks < 10_000 && transmission.bytesInFlight < 100_000) {
      transmission.receive(driver.encode({ type: Write, data: pattern(1) }), null);
      kept.push(...transmission.takeOutput());
      chunks += 1;
    }
    expect(chunks).toBeLessThan(300);
    for (const segment of kept) segment.release();
    expect(transmission.bytesInFlight).toBe(0);
  });
});

describe('any sequence of requests', () => {
  const range = fc.record({
    offsetBytes: fc.nat({ max: SIZE - 1 }),
    lengthBytes: fc.integer({ min: 1, max: 96 * KIB }),
  });
  const requests = fc.array(
    fc.record({ kind: fc.constantFrom(Read, Write, Trim, WriteZeroes, Flush), range, seed: fc.nat({ max: 200 }) }),
    { minLength: 1, maxLength: 12 },
  );

  /** What each request must answer, by a model that is only an array. */
  const expected = (
    model: Buffer,
    { kind, range: { offsetBytes, lengthBytes }, seed }: Parameters,
  ): Buffer | number | null => {
    if (kind === Flush) return null;
    if (offsetBytes + lengthBytes > SIZE) return kind === Read || kind === Trim ? NbdErrno.EINVAL : NbdErrno.ENOSPC;
    const end = offsetBytes + lengthBytes;
    if (kind === Read) return Buffer.from(model.subarray(offsetBytes, end));
    if (kind === Write) pattern(lengthBytes, seed).copy(model, offsetBytes);
    else model.fill(0, offsetBytes, end);
    return null;
  };
  type Parameters = { kind: number; range: { offsetBytes: number; lengthBytes: number }; seed: number };

  it('answers as the model does, in whatever chunks it comes', async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.array(fc.nat()), fc.boolean(), async (sequence, cuts, structuredReplies) => {
        const model = Buffer.alloc(SIZE);
        const driver = new TransmissionDriver(new MemoryBackend(SIZE), { structuredReplies });
        const answers: (Buffer | number | null)[] = [];
        const bytes = Buffer.concat(
          sequence.map((parameters) => {
            answers.push(expected(model, parameters));
            const { kind: type, range: asked, seed } = parameters;
            if (type === Flush) return driver.encode({ type });
            if (type !== Write) return driver.encode({ type, ...asked });
            return driver.encode({ type, offsetBytes: asked.offsetBytes, data: pattern(asked.lengthBytes, seed) });
          }),
        );
        driver.feed(
          bytes,
          cuts.map((cut) => cut % bytes.length),
        );
        await settle();
        const byCookie = new Map(driver.replies().map((reply) => [reply.cookie, reply]));
        [...driver.asked.keys()].forEach((cookie, index) => {
          const reply = byCookie.get(cookie)!;
          const answer = answers[index];
          expect(reply.errno).toBe(typeof answer === 'number' ? answer : 0);
          if (Buffer.isBuffer(answer)) expect(reply.data?.equals(answer)).toBe(true);
        });
        expect(driver.transmission.bytesInFlight).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('survives random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.array(fc.nat({ max: 500 })), (noise, cuts) => {
        const driver = new TransmissionDriver(new MemoryBackend(SIZE));
        try {
          driver.feed(Buffer.from(noise), cuts);
        } catch (error) {
          expect((error as Error).name).toBe('NbdProtocolError');
        }
      }),
    );
  });
});
