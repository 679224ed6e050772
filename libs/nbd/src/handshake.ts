import { NbdProtocolError, type ExportBackend } from './export-backend.ts';
import {
  ALLOCATION_CONTEXT,
  ALLOCATION_CONTEXT_ID,
  EXPORT_NAME_PADDING_BYTES,
  HandshakeFlag,
  Info,
  INIT_MAGIC,
  MIN_BLOCK_BYTES,
  Option,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
  OptionReply,
  PREFERRED_BLOCK_BYTES,
  TransmissionFlag,
} from './wire.ts';
import { parseExportRequest, parseMetaContextRequest, parseName } from './option-data.ts';

/** The exports of a server, by name; the default export's name is empty. */
export interface ExportCatalogue {
  /** Called for each option that names an export, and again when a client settles on it. */
  open(name: string): ExportBackend | null;
  /** What LIST answers. */
  names(): readonly string[];
  /** For people; null when there is nothing to say. */
  describe(name: string): string | null;
}

/** What both sides agreed on. */
export interface Negotiated {
  readonly exportName: string;
  readonly backend: ExportBackend;
  readonly structuredReplies: boolean;
  readonly allocationContext: boolean;
}

export type HandshakeStep =
  | { readonly kind: 'more'; readonly send: Buffer }
  /** `rest` are the bytes that came behind the last option. */
  | { readonly kind: 'transmission'; readonly send: Buffer; readonly negotiated: Negotiated; readonly rest: Buffer }
  /** The client gave up, politely. */
  | { readonly kind: 'end'; readonly send: Buffer };

/** Larger than any option we understand: two strings of the largest size and a few numbers. */
const MAX_OPTION_BYTES = 16 * 1024;
/** A client needs about five; one that goes on for ever is not a client. */
const MAX_OPTIONS = 64;
const CLIENT_FLAGS = HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes;

type OptionOutcome = 'go-on' | 'abort' | Negotiated;

/**
 * The fixed newstyle handshake of one connection, without its socket. Send `greeting`, feed it what arrives, send what
 * it answers, until it ends or agrees on an export.
 */
export class Handshake {
  readonly #catalogue: ExportCatalogue;
  readonly #maxPayloadBytes: number;
  #received: Buffer = Buffer.alloc(0);
  #replies: Buffer[] = [];
  #clientFlags: number | null = null;
  #optionsSeen = 0;
  #structuredReplies = false;
  /** The export for which the client chose `base:allocation`; choosing does not carry over to another one. */
  #contextExport: string | null = null;
  #isShuttingDown = false;

  constructor(catalogue: ExportCatalogue, maxPayloadBytes: number) {
    this.#catalogue = catalogue;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  greeting(): Buffer {
    const bytes = Buffer.alloc(18);
    bytes.writeBigUInt64BE(INIT_MAGIC, 0);
    bytes.writeBigUInt64BE(OPTION_MAGIC, 8);
    bytes.writeUInt16BE(HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes, 16);
    return bytes;
  }

  /** From here on every option but ABORT is refused. */
  shutDown(): void {
    this.#isShuttingDown = true;
  }

  /** @throws NbdProtocolError; the connection must then be closed, without a word. */
  receive(chunk: Buffer): HandshakeStep {
    // Bounded: an option is taken off as soon as it is complete, and its size is checked before it is. Copied, since
    // the chunk's memory belongs to the caller.
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.#clientFlags === null && !this.#readClientFlags()) return this.#more();
    for (;;) {
      const option = this.#nextOption();
      if (option === null) return this.#more();
      const outcome = this.#serve(option.type, option.data);
      if (outcome === 'go-on') continue;
      if (outcome === 'abort') return { kind: 'end', send: this.#takeReplies() };
      return { kind: 'transmission', send: this.#takeReplies(), negotiated: outcome, rest: this.#received };
    }
  }

  #readClientFlags(): boolean {
    if (this.#received.length < 4) return false;
    const flags = this.#received.readUInt32BE(0);
    if ((flags & ~CLIENT_FLAGS) !== 0) throw new NbdProtocolError('unknown client flags');
    this.#clientFlags = flags;
    this.#received = this.#received.subarray(4);
    return true;
  }

  #nextOption(): { type: number; data: Buffer } | null {
    const bytes = this.#received;
    if (bytes.length < OPTION_HEADER_BYTES) return null;
    if (bytes.readBigUInt64BE(0) !== OPTION_MAGIC) throw new NbdProtocolError('wrong option magic');
    const length = bytes.readUInt32BE(12);
    if (length > MAX_OPTION_BYTES) throw new NbdProtocolError('option larger than the maximum');
    const end = OPTION_HEADER_BYTES + length;
    if (bytes.length < end) return null;
    this.#optionsSeen += 1;
    if (this.#optionsSeen > MAX_OPTIONS) throw new NbdProtocolError('too many options');
    this.#received = bytes.subarray(end);
    return { type: bytes.readUInt32BE(8), data: bytes.subarray(OPTION_HEADER_BYTES, end) };
  }

  #serve(type: number, data: Buffer): OptionOutcome {
    if (type === Option.Abort) {
      this.#reply(type, OptionReply.Ack);
      return 'abort';
    }
    if (type === Option.ExportName) return this.#exportName(data);
    if (this.#isShuttingDown) return this.#reply(type, OptionReply.Shutdown);
    switch (type) {
      case Option.List:
        return this.#list(data);
      case Option.Info:
      case Option.Go:
        return this.#infoOrGo(type, data);
      case Option.StructuredReply:
        if (data.length > 0) return this.#reply(type, OptionReply.Invalid);
        this.#structuredReplies = true;
        return this.#reply(type, OptionReply.Ack);
      case Option.ListMetaContext:
      case Option.SetMetaContext:
        return this.#metaContext(type, data);
      default:
        return this.#reply(type, OptionReply.Unsupported);
    }
  }

  /** The only option that has no way to answer an error but to hang up. */
  #exportName(data: Buffer): Negotiated {
    const name = parseName(data);
    const backend = name === null || this.#isShuttingDown ? null : this.#catalogue.open(name);
    if (name === null || backend === null) throw new NbdProtocolError('no such export');
    const isPadded = ((this.#clientFlags ?? 0) & HandshakeFlag.NoZeroes) === 0;
    const bytes = Buffer.alloc(10 + (isPadded ? EXPORT_NAME_PADDING_BYTES : 0));
    bytes.writeBigUInt64BE(BigInt(backend.sizeBytes), 0);
    bytes.writeUInt16BE(this.#transmissionFlags(backend), 8);
    this.#replies.push(bytes);
    return this.#negotiated(name, backend);
  }

  #list(data: Buffer): OptionOutcome {
    if (data.length > 0) return this.#reply(Option.List, OptionReply.Invalid);
    for (const name of this.#catalogue.names()) {
      const nameBytes = Buffer.from(name);
      this.#reply(Option.List, OptionReply.Server, uint32(nameBytes.length), nameBytes, this.#description(name));
    }
    return this.#reply(Option.List, OptionReply.Ack);
  }

  #infoOrGo(type: number, data: Buffer): OptionOutcome {
    const asked = parseExportRequest(data);
    if (asked === null) return this.#reply(type, OptionReply.Invalid);
    const backend = this.#catalogue.open(asked.name);
    if (backend === null) return this.#reply(type, OptionReply.UnknownExport);
    const exportInfo = Buffer.alloc(12);
    exportInfo.writeUInt16BE(Info.Export, 0);
    exportInfo.writeBigUInt64BE(BigInt(backend.sizeBytes), 2);
    exportInfo.writeUInt16BE(this.#transmissionFlags(backend), 10);
    this.#reply(type, OptionReply.Info, exportInfo);
    for (const info of new Set(asked.infos)) this.#replyInfo(type, info, asked.name);
    this.#reply(type, OptionReply.Ack);
    return type === Option.Go ? this.#negotiated(asked.name, backend) : 'go-on';
  }

  #replyInfo(type: number, info: number, name: string): void {
    if (info === Info.Name) this.#reply(type, OptionReply.Info, uint16(info), Buffer.from(name));
    if (info === Info.Description && this.#catalogue.describe(name) !== null) {
      this.#reply(type, OptionReply.Info, uint16(info), this.#description(name));
    }
    if (info === Info.BlockSize) {
      const sizes = [MIN_BLOCK_BYTES, PREFERRED_BLOCK_BYTES, this.#maxPayloadBytes].map(uint32);
      this.#reply(type, OptionReply.Info, uint16(info), ...sizes);
    }
  }

  #metaContext(type: number, data: Buffer): OptionOutcome {
    if (type === Option.SetMetaContext) this.#contextExport = null;
    const asked = this.#structuredReplies ? parseMetaContextRequest(data) : null;
    if (asked === null) return this.#reply(type, OptionReply.Invalid);
    if (this.#catalogue.open(asked.name) === null) return this.#reply(type, OptionReply.UnknownExport);
    const isList = type === Option.ListMetaContext;
    const wholeNamespace = isList && (asked.queries.length === 0 || asked.queries.includes('base:'));
    if (wholeNamespace || asked.queries.includes(ALLOCATION_CONTEXT)) {
      if (!isList) this.#contextExport = asked.name;
      const id = isList ? 0 : ALLOCATION_CONTEXT_ID; // Reserved in a list.
      this.#reply(type, OptionReply.MetaContext, uint32(id), Buffer.from(ALLOCATION_CONTEXT));
    }
    return this.#reply(type, OptionReply.Ack);
  }

  #negotiated(exportName: string, backend: ExportBackend): Negotiated {
    const allocationContext = this.#contextExport === exportName;
    return { exportName, backend, structuredReplies: this.#structuredReplies, allocationContext };
  }

  #transmissionFlags(backend: ExportBackend): number {
    const F = TransmissionFlag;
    const always = F.HasFlags | F.SendFlush | F.SendFua | F.CanMultiConn | F.SendCache;
    const changing = F.SendTrim | F.SendWriteZeroes | F.SendFastZero;
    const structured = this.#structuredReplies ? F.SendDontFragment : 0;
    return always | structured | (backend.readOnly ? F.ReadOnly : changing);
  }

  #description(name: string): Buffer {
    return Buffer.from(this.#catalogue.describe(name) ?? '');
  }

  #reply(option: number, type: number, ...payload: readonly Buffer[]): 'go-on' {
    const header = Buffer.alloc(OPTION_REPLY_HEADER_BYTES);
    header.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
    header.writeUInt32BE(option, 8);
    header.writeUInt32BE(type, 12);
    header.writeUInt32BE(
      payload.reduce((sum, part) => sum + part.length, 0),
      16,
    );
    this.#replies.push(header, ...payload);
    return 'go-on';
  }

  #more(): HandshakeStep {
    return { kind: 'more', send: this.#takeReplies() };
  }

  #takeReplies(): Buffer {
    const bytes = Buffer.concat(this.#replies);
    this.#replies = [];
    return bytes;
  }
}

const uint16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
