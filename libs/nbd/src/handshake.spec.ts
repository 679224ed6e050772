import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeClientFlags, encodeExportRequest, encodeOption } from './client-messages.ts';
import { Handshake, type HandshakeStep } from './handshake.ts';
import { MemoryBackend } from './testing/memory-backend.ts';
import { Info, MAX_PAYLOAD_BYTES, Option, OPTION_REPLY_MAGIC, OptionReply, TransmissionFlag } from './wire.ts';

const backend = new MemoryBackend(12_345);
const readOnly = new MemoryBackend(1, { readOnly: true });
const catalogue = {
  open: (name: string) => ({ '': backend, 'vol-ü': backend, frozen: readOnly })[name] ?? null,
  names: () => ['', 'vol-ü'],
  describe: (name: string) => (name === '' ? 'the default' : null),
};
const FLAGS = encodeClientFlags(3);
const uint32 = (value: number): Buffer => encodeClientFlags(value);
const text = (value: string): Buffer => Buffer.concat([uint32(Buffer.byteLength(value)), Buffer.from(value)]);
const metaContext = (name: string, ...queries: string[]): Buffer =>
  Buffer.concat([text(name), uint32(queries.length), ...queries.map(text)]);

interface Reply {
  option: number;
  type: number;
  data: Buffer;
}

const repliesIn = (bytes: Buffer): Reply[] => {
  const replies: Reply[] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes.readBigUInt64BE(at)).toBe(OPTION_REPLY_MAGIC);
    const length = bytes.readUInt32BE(at + 16);
    const data = bytes.subarray(at + 20, at + 20 + length);
    replies.push({ option: bytes.readUInt32BE(at + 8), type: bytes.readUInt32BE(at + 12), data });
    at += 20 + length;
  }
  return replies;
};

const talk = (...messages: Buffer[]): { step: HandshakeStep; replies: Reply[] } => {
  const step = new Handshake(catalogue, MAX_PAYLOAD_BYTES).receive(Buffer.concat([FLAGS, ...messages]));
  return { step, replies: repliesIn(step.send) };
};
const negotiate = (...messages: Buffer[]) => {
  const { step } = talk(...messages);
  if (step.kind !== 'transmission') throw new Error(`ended with ${step.kind}`);
  return step.negotiated;
};
const go = (name = '', infos: number[] = []): Buffer => encodeOption(Option.Go, encodeExportRequest(name, infos));
const structured = encodeOption(Option.StructuredReply);

describe('the greeting', () => {
  it('is the one of the fixed newstyle', () => {
    expect(new Handshake(catalogue, 1).greeting().toString('latin1')).toBe('NBDMAGICIHAVEOPT\0\x03');
  });
});

describe('GO', () => {
  it('answers size, flags and what was asked for, then agrees on the export', () => {
    const { step, replies } = talk(go('', [Info.BlockSize, Info.Name, Info.Description, 99]));
    const [size, ...infos] = replies;
    expect(size?.data.readBigUInt64BE(2)).toBe(12_345n);
    expect(infos.map(({ type, data }) => [type, data.toString('hex')])).toEqual([
      [OptionReply.Info, '0003000000010000100002000000'],
      [OptionReply.Info, '0001'],
      [OptionReply.Info, `0002${Buffer.from('the default').toString('hex')}`],
      [OptionReply.Ack, ''],
    ]);
    expect(step).toMatchObject({ kind: 'transmission', negotiated: { exportName: '', structuredReplies: false } });
  });

  it('offers fewer commands on a read-only export, and DF only with structured replies', () => {
    const flagsOf = (...messages: Buffer[]) =>
      talk(...messages)
        .replies.find(({ type }) => type === OptionReply.Info)!
        .data.readUInt16BE(10);
    const F = TransmissionFlag;
    const common = F.HasFlags | F.SendFlush | F.SendFua | F.CanMultiConn | F.SendCache;
    expect(flagsOf(go('frozen'))).toBe(common | F.ReadOnly);
    expect(flagsOf(structured, go())).toBe(
      common | F.SendTrim | F.SendWriteZeroes | F.SendFastZero | F.SendDontFragment,
    );
  });

  it('refuses an unknown export and lets the client go on', () => {
    const { replies, step } = talk(go('nope'), go('vol-ü'));
    expect(replies[0]?.type).toBe(OptionReply.UnknownExport);
    expect(step).toMatchObject({ kind: 'transmission', negotiated: { exportName: 'vol-ü' } });
  });

  it('hands over the bytes behind it', () => {
    const { step } = talk(go(), Buffer.from('first request'));
    expect(step.kind === 'transmission' && step.rest.toString()).toBe('first request');
  });
});

describe('INFO', () => {
  it('answers as GO does and agrees on nothing', () => {
    const { step, replies } = talk(encodeOption(Option.Info, encodeExportRequest('', [])));
    expect(step.kind).toBe('more');
    expect(replies.map(({ type }) => type)).toEqual([OptionReply.Info, OptionReply.Ack]);
  });
});

describe('EXPORT_NAME', () => {
  it('answers size and flags, with padding unless both sides do without', () => {
    const short = new Handshake(catalogue, 1).receive(Buffer.concat([FLAGS, encodeOption(Option.ExportName)]));
    expect(short.kind).toBe('transmission');
    expect(short.send.length).toBe(10);
    const padded = new Handshake(catalogue, 1).receive(
      Buffer.concat([encodeClientFlags(1), encodeOption(Option.ExportName)]),
    );
    expect(padded.send.length).toBe(134);
    expect(padded.send.readBigUInt64BE(0)).toBe(12_345n);
  });

  it('has no way to refuse but to end', () => {
    expect(() => talk(encodeOption(Option.ExportName, Buffer.from('nope')))).toThrow('no such export');
  });
});

describe('LIST', () => {
  it('names the exports', () => {
    const { replies } = talk(encodeOption(Option.List));
    expect(replies.map(({ data }) => data.toString())).toEqual(['\0\0\0\0the default', '\0\0\0\x06vol-ü', '']);
    expect(talk(encodeOption(Option.List, Buffer.alloc(1))).replies[0]?.type).toBe(OptionReply.Invalid);
  });
});

describe('ABORT', () => {
  it('is acknowledged and ends', () => {
    const { step, replies } = talk(encodeOption(Option.Abort));
    expect(step.kind).toBe('end');
    expect(replies[0]?.type).toBe(OptionReply.Ack);
  });
});

describe('metadata contexts', () => {
  const set = (name: string, ...queries: string[]) =>
    encodeOption(Option.SetMetaContext, metaContext(name, ...queries));
  const list = (...queries: string[]) => encodeOption(Option.ListMetaContext, metaContext('', ...queries));
  const listed = (message: Buffer) =>
    talk(structured, message)
      .replies.filter(({ type }) => type === OptionReply.MetaContext)
      .map(({ data }) => data.subarray(4).toString());

  it('are listed', () => {
    expect(listed(list())).toEqual(['base:allocation']);
    expect(listed(list('base:'))).toEqual(['base:allocation']);
    expect(listed(list('qemu:', 'base:other'))).toEqual([]);
  });

  it('are chosen for one export', () => {
    expect(negotiate(structured, set('', 'x:y', 'base:allocation'), go()).allocationContext).toBe(true);
    expect(negotiate(structured, set('', 'base:'), go()).allocationContext).toBe(false);
    expect(negotiate(structured, set('', 'base:allocation'), go('vol-ü')).allocationContext).toBe(false);
    expect(negotiate(structured, set('', 'base:allocation'), set('', 'x:y'), go()).allocationContext).toBe(false);
  });

  it('need structured replies', () => {
    expect(talk(set('', 'base:allocation')).replies[0]?.type).toBe(OptionReply.Invalid);
  });

  it('of unknown exports are refused', () => {
    expect(talk(structured, set('nope', 'base:allocation')).replies[1]?.type).toBe(OptionReply.UnknownExport);
  });

  it('are found behind any number of other queries, and not behind fewer than were announced', () => {
    const many = Array.from({ length: 1_000 }, () => 'x:y');
    expect(negotiate(structured, set('', ...many, 'base:allocation'), go()).allocationContext).toBe(true);
    const announced = Buffer.concat([text(''), uint32(0xffff_ffff), text('x:y')]);
    const { replies } = talk(structured, encodeOption(Option.SetMetaContext, announced));
    expect(replies[1]?.type).toBe(OptionReply.Invalid);
  });

  it('have an id where they are chosen, and none where they are listed', () => {
    const ids = talk(structured, list(), set('', 'base:allocation')).replies.filter(
      ({ type }) => type === OptionReply.MetaContext,
    );
    expect(ids.map(({ data }) => data.readUInt32BE(0))).toEqual([0, 1]);
  });
});

describe('what a client should not send', () => {
  it.each([5, 4, 11, 0, 0xffff_ffff])('option %i is answered as unsupported', (option) => {
    const { replies, step } = talk(encodeOption(option, Buffer.from('data')), go());
    expect(replies[0]).toMatchObject({ option, type: OptionReply.Unsupported });
    expect(step.kind).toBe('transmission');
  });

  it.each([
    ['a name longer than the option', Buffer.concat([uint32(100), Buffer.from('ab'), Buffer.alloc(2)])],
    ['a name of 4 GiB', Buffer.concat([uint32(0xffff_ffff), Buffer.alloc(2)])],
    ['infos that are missing', Buffer.concat([text(''), Buffer.from([0, 2, 0, 3])])],
    ['bytes behind the end', Buffer.concat([encodeExportRequest('', []), Buffer.alloc(1)])],
    ['a name that is not UTF-8', Buffer.concat([uint32(1), Buffer.from([0xff]), Buffer.alloc(2)])],
    ['a name with a NUL', encodeExportRequest('a\0b', [])],
    ['a name that is too long', encodeExportRequest('x'.repeat(4097), [])],
    ['nothing', Buffer.alloc(0)],
  ])('GO with %s is invalid', (_, data) => {
    const { replies, step } = talk(encodeOption(Option.Go, data));
    expect(replies.map(({ type }) => type)).toEqual([OptionReply.Invalid]);
    expect(step.kind).toBe('more');
  });

  it('ends it: unknown client flags', () => {
    expect(() => new Handshake(catalogue, 1).receive(encodeClientFlags(4))).toThrow('client flags');
  });

  it('ends it: a wrong magic', () => {
    const option = encodeOption(Option.List);
    option.writeUInt8(0, 7);
    expect(() => talk(option)).toThrow('wrong option magic');
  });

  it('ends it: an option that is too large, before its data', () => {
    const option = encodeOption(Option.Go);
    option.writeUInt32BE(16_385, 12);
    expect(() => talk(option)).toThrow('larger than the maximum');
  });

  it('ends it: options without end', () => {
    expect(() => talk(...Array.from({ length: 65 }, () => structured))).toThrow('too many options');
  });
});

describe('shutting down', () => {
  it('refuses options but ABORT', () => {
    const handshake = new Handshake(catalogue, 1);
    handshake.shutDown();
    const step = handshake.receive(Buffer.concat([FLAGS, go(), encodeOption(Option.Abort)]));
    expect(repliesIn(step.send).map(({ type }) => type)).toEqual([OptionReply.Shutdown, OptionReply.Ack]);
    expect(step.kind).toBe('end');
  });
});

describe('any way of cutting the bytes', () => {
  const conversation = Buffer.concat([
    FLAGS,
    structured,
    encodeOption(Option.List),
    encodeOption(Option.SetMetaContext, metaContext('', 'base:allocation')),
    go('', [Info.BlockSize]),
    Buffer.from('rest'),
  ]);
  const inPieces = (pieces: Buffer[]) => {
    const handshake = new Handshake(catalogue, MAX_PAYLOAD_BYTES);
    const sent: Buffer[] = [];
    for (const [index, piece] of pieces.entries()) {
      const chunk = Buffer.from(piece);
      const step = handshake.receive(chunk);
      sent.push(step.send);
      if (step.kind !== 'transmission') {
        chunk.fill(0xbd); // The socket reads its next bytes into the same memory.
        continue;
      }
      const rest = Buffer.concat([step.rest, ...pieces.slice(index + 1)]).toString();
      return { sent: Buffer.concat(sent).toString('hex'), negotiated: step.negotiated, rest };
    }
    return null;
  };

  it('agrees on the same', () => {
    const whole = inPieces([conversation]);
    expect(whole).toMatchObject({ rest: 'rest', negotiated: { structuredReplies: true, allocationContext: true } });
    for (let cut = 1; cut < conversation.length; cut += 1) {
      expect(inPieces([conversation.subarray(0, cut), conversation.subarray(cut)])).toEqual(whole);
    }
    expect(inPieces(Array.from(conversation, (byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it('survives random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 12 }), fc.boolean(), (noise, option, framed) => {
        const handshake = new Handshake(catalogue, 1);
        try {
          handshake.receive(
            Buffer.concat([FLAGS, framed ? encodeOption(option, Buffer.from(noise)) : Buffer.from(noise)]),
          );
        } catch (error) {
          expect((error as Error).name).toBe('NbdProtocolError');
        }
      }),
    );
  });
});
