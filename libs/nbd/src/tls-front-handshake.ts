import { encodeClientFlags, encodeOption } from './client-messages.ts';
import { NbdProtocolError } from './export-backend.ts';
import { parseExportName } from './option-data.ts';
import {
  HandshakeFlag,
  INIT_MAGIC,
  Option,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
  OptionReply,
} from './wire.ts';

/** Larger than any option that a client needs; the server behind has its own limit. */
const MAX_OPTION_BYTES = 16 * 1024;
const MAX_OPTIONS = 64;
const GREETING_BYTES = 18;
const CLIENT_FLAGS = HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes;

export type FrontStep =
  | { readonly kind: 'more'; readonly send: Buffer }
  /** Send, then begin TLS; nothing that came before it counts. */
  | { readonly kind: 'start-tls'; readonly send: Buffer }
  /** The client names an export: whoever serves it is told `answered`, and then goes on with `replay`. */
  | {
      readonly kind: 'export';
      readonly send: Buffer;
      readonly name: string;
      /** The option that names it, and whatever came behind. */
      readonly replay: Buffer;
      /** The client's flags, and the option that it was answered here already. */
      readonly answered: Buffer;
      /** How many bytes the server behind answers to `answered`, its greeting included. */
      readonly answerBytes: number;
      /** Which option names it; for a refusal. */
      readonly option: number;
    }
  | { readonly kind: 'end'; readonly send: Buffer };

/**
 * The part of a handshake that comes before an export is named, of a server on which everything is encrypted (FORCEDTLS): no
 * option but STARTTLS and ABORT is served before that. Without sockets.
 */
export class TlsFrontHandshake {
  #received: Buffer = Buffer.alloc(0);
  #replies: Buffer[] = [];
  #clientFlags: number | null = null;
  #optionsSeen = 0;
  #isSecure = false;
  #structuredReplies = false;

  greeting(): Buffer {
    const bytes = Buffer.alloc(GREETING_BYTES);
    bytes.writeBigUInt64BE(INIT_MAGIC, 0);
    bytes.writeBigUInt64BE(OPTION_MAGIC, 8);
    bytes.writeUInt16BE(CLIENT_FLAGS, 16);
    return bytes;
  }

  /** What comes from here on was encrypted. */
  secured(): void {
    this.#isSecure = true;
  }

  /** The export that was named is not there, or not for this client: it may name another. */
  refuse(option: number): FrontStep {
    if (option === Option.ExportName) throw new NbdProtocolError('no such export');
    this.#reply(option, OptionReply.UnknownExport);
    return this.#serveOptions();
  }

  /** @throws NbdProtocolError; the connection must then be closed, without a word. */
  receive(chunk: Buffer): FrontStep {
    if (this.#received.length + chunk.length > 2 * MAX_OPTION_BYTES) throw new NbdProtocolError('too much at once');
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.#clientFlags === null) {
      if (this.#received.length < 4) return this.#more();
      const flags = this.#received.readUInt32BE(0);
      if ((flags & ~CLIENT_FLAGS) !== 0) throw new NbdProtocolError('unknown client flags');
      this.#clientFlags = flags;
      this.#received = this.#received.subarray(4);
    }
    return this.#serveOptions();
  }

  #serveOptions(): FrontStep {
    for (;;) {
      const bytes = this.#received;
      if (bytes.length < OPTION_HEADER_BYTES) return this.#more();
      if (bytes.readBigUInt64BE(0) !== OPTION_MAGIC) throw new NbdProtocolError('wrong option magic');
      const length = bytes.readUInt32BE(12);
      if (length > MAX_OPTION_BYTES) throw new NbdProtocolError('option larger than the maximum');
      const end = OPTION_HEADER_BYTES + length;
      if (bytes.length < end) return this.#more();
      if (++this.#optionsSeen > MAX_OPTIONS) throw new NbdProtocolError('too many options');
      const step = this.#serve(bytes.readUInt32BE(8), bytes.subarray(OPTION_HEADER_BYTES, end), bytes);
      this.#received = bytes.subarray(end);
      if (step !== null) return step;
    }
  }

  #serve(type: number, data: Buffer, from: Buffer): FrontStep | null {
    if (type === Option.Abort) {
      this.#reply(type, OptionReply.Ack);
      return { kind: 'end', send: this.#takeReplies() };
    }
    if (!this.#isSecure) return this.#serveInClear(type, data, from.length);
    switch (type) {
      case Option.StructuredReply:
        if (data.length > 0) return this.#reply(type, OptionReply.Invalid);
        this.#structuredReplies = true;
        return this.#reply(type, OptionReply.Ack);
      case Option.ExportName:
      case Option.Info:
      case Option.Go:
      case Option.ListMetaContext:
      case Option.SetMetaContext:
        return this.#named(type, data, from);
      case Option.List:
        // Which volumes there are is nobody's business but of those that they are attached to.
        return this.#reply(type, data.length > 0 ? OptionReply.Invalid : OptionReply.Policy);
      case Option.StartTls:
        return this.#reply(type, OptionReply.Invalid);
      default:
        return this.#reply(type, OptionReply.Unsupported);
    }
  }

  #serveInClear(type: number, data: Buffer, receivedBytes: number): FrontStep | null {
    if (type === Option.ExportName) throw new NbdProtocolError('an export was asked for without TLS');
    if (type !== Option.StartTls) return this.#reply(type, OptionReply.TlsRequired);
    if (data.length > 0) return this.#reply(type, OptionReply.Invalid);
    // Whoever sits in between could have put it there, to be taken for encrypted.
    if (receivedBytes > OPTION_HEADER_BYTES) throw new NbdProtocolError('bytes in clear behind STARTTLS');
    this.#reply(type, OptionReply.Ack);
    return { kind: 'start-tls', send: this.#takeReplies() };
  }

  #named(type: number, data: Buffer, replay: Buffer): FrontStep | null {
    const name = parseExportName(data, type === Option.ExportName);
    if (name === null && type === Option.ExportName) throw new NbdProtocolError('malformed export name');
    if (name === null) return this.#reply(type, OptionReply.Invalid);
    const flags = encodeClientFlags(this.#clientFlags ?? 0);
    const answered = this.#structuredReplies ? Buffer.concat([flags, encodeOption(Option.StructuredReply)]) : flags;
    const answerBytes = GREETING_BYTES + (this.#structuredReplies ? OPTION_REPLY_HEADER_BYTES : 0);
    return { kind: 'export', send: this.#takeReplies(), name, replay, answered, answerBytes, option: type };
  }

  #reply(option: number, type: number): null {
    const header = Buffer.alloc(OPTION_REPLY_HEADER_BYTES);
    header.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
    header.writeUInt32BE(option, 8);
    header.writeUInt32BE(type, 12);
    this.#replies.push(header);
    return null;
  }

  #more(): FrontStep {
    return { kind: 'more', send: this.#takeReplies() };
  }

  #takeReplies(): Buffer {
    const bytes = Buffer.concat(this.#replies);
    this.#replies = [];
    return bytes;
  }
}
