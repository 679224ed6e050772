import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeClientFlags, encodeExportRequest, encodeOption } from './client-messages.ts';
import { NbdProtocolError } from './export-backend.ts';
import { TlsFrontHandshake } from './tls-front-handshake.ts';
import { Option, OPTION_REPLY_HEADER_BYTES, OptionReply } from './wire.ts';

const FLAGS = encodeClientFlags(3);
const goTo = (name: string) => encodeOption(Option.Go, encodeExportRequest(name, []));
const replyTypes = (bytes: Buffer): number[] => {
  const types = [];
  for (let at = 0; at < bytes.length; at += OPTION_REPLY_HEADER_BYTES) types.push(bytes.readUInt32BE(at + 12));
  return types;
};
const secured = (): TlsFrontHandshake => {
  const handshake = new TlsFrontHandshake();
  expect(handshake.receive(Buffer.concat([FLAGS, encodeOption(Option.StartTls)])).kind).toBe('start-tls');
  handshake.secured();
  return handshake;
};

describe('before TLS', () => {
  it.each([Option.List, Option.Go, Option.Info, Option.StructuredReply, Option.SetMetaContext, 99])(
    'option %i is refused as needing TLS',
    (option) => {
      const step = new TlsFrontHandshake().receive(Buffer.concat([FLAGS, encodeOption(option)]));
      expect([step.kind, ...replyTypes(step.send)]).toEqual(['more', OptionReply.TlsRequired]);
    },
  );

  it('an export that is asked for the old way, or bytes behind STARTTLS, end the connection', () => {
    const ended = (...options: Buffer[]) =>
      expect(() => new TlsFrontHandshake().receive(Buffer.concat([FLAGS, ...options]))).toThrow(NbdProtocolError);
    ended(encodeOption(Option.ExportName, Buffer.from('vol')));
    ended(encodeOption(Option.StartTls), goTo('vol'));
  });

  it('the client may give up', () => {
    const step = new TlsFrontHandshake().receive(Buffer.concat([FLAGS, encodeOption(Option.Abort)]));
    expect([step.kind, ...replyTypes(step.send)]).toEqual(['end', OptionReply.Ack]);
  });
});

describe('after TLS', () => {
  it('hands over whatever names an export, with what was answered already', () => {
    const handshake = secured();
    expect(replyTypes(handshake.receive(encodeOption(Option.StructuredReply)).send)).toEqual([OptionReply.Ack]);
    const behind = Buffer.from('more');
    const step = handshake.receive(Buffer.concat([goTo('vol-1'), behind]));
    expect(step).toMatchObject({ kind: 'export', name: 'vol-1', answerBytes: 38 });
    if (step.kind !== 'export') return;
    expect(step.replay.equals(Buffer.concat([goTo('vol-1'), behind]))).toBe(true);
    expect(step.answered.equals(Buffer.concat([FLAGS, encodeOption(Option.StructuredReply)]))).toBe(true);
    const next = handshake.refuse(step.option);
    expect(replyTypes(next.send)).toEqual([OptionReply.UnknownExport]);
  });

  it('does not begin TLS again, lists nothing, and refuses what is malformed', () => {
    const handshake = secured();
    expect(replyTypes(handshake.receive(encodeOption(Option.StartTls)).send)).toEqual([OptionReply.Invalid]);
    expect(replyTypes(handshake.receive(encodeOption(Option.List)).send)).toEqual([OptionReply.Policy]);
    expect(replyTypes(handshake.receive(encodeOption(Option.Go, Buffer.alloc(3))).send)).toEqual([OptionReply.Invalid]);
  });

  it('comes to the same however the bytes are cut', () => {
    const bytes = Buffer.concat([encodeOption(Option.StructuredReply), encodeOption(77), goTo('vol-2')]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const handshake = secured();
      const steps = [bytes.subarray(0, cut), bytes.subarray(cut)].map((part) => handshake.receive(part));
      expect(Buffer.concat(steps.map(({ send }) => send)).length).toBe(2 * OPTION_REPLY_HEADER_BYTES);
      expect(steps.some((step) => step.kind === 'export' && step.name === 'vol-2')).toBe(true);
    }
  });
});

it('survives any bytes: it answers, or says that the connection must end', () => {
  const option = fc
    .tuple(fc.nat({ max: 12 }), fc.uint8Array({ maxLength: 60 }))
    .map(([type, data]) => encodeOption(type, Buffer.from(data)));
  const bytes = fc.oneof(
    option,
    fc.uint8Array({ maxLength: 100 }).map((data) => Buffer.from(data)),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(bytes, { maxLength: 20 }), (isSecure, chunks) => {
      const handshake = isSecure ? secured() : new TlsFrontHandshake();
      try {
        for (const chunk of isSecure ? chunks : [FLAGS, ...chunks]) handshake.receive(chunk);
      } catch (error) {
        expect(error).toBeInstanceOf(NbdProtocolError);
      }
    }),
    { numRuns: 300 },
  );
  expect(() => secured().receive(Buffer.alloc(40_000))).toThrow(NbdProtocolError);
});
