/**
 * Every number of the NBD wire format that Holdfast speaks; integers are big-endian.
 * @see https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */

/** First eight bytes a server sends ("NBDMAGIC"), and the magic of every option ("IHAVEOPT"). */
export const INIT_MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** Sizes in bytes of the fixed parts of messages. */
export const OPTION_HEADER_BYTES = 16;
export const OPTION_REPLY_HEADER_BYTES = 20;
export const REQUEST_BYTES = 28;
export const SIMPLE_REPLY_BYTES = 16;
export const STRUCTURED_REPLY_BYTES = 20;
/** What precedes the data in an OFFSET_DATA chunk (64-bit offset), and the whole payload of an OFFSET_HOLE chunk. */
export const OFFSET_DATA_PREFIX_BYTES = 8;
export const OFFSET_HOLE_PAYLOAD_BYTES = 12;
/** Padding after the answer to EXPORT_NAME, unless both sides said NO_ZEROES. */
export const EXPORT_NAME_PADDING_BYTES = 124;
/** Longest string (export name, description, query) that the protocol allows. */
export const MAX_STRING_BYTES = 4096;

/** Handshake flags; the client's answer has the same two bits. */
export const HandshakeFlag = { FixedNewstyle: 1 << 0, NoZeroes: 1 << 1 } as const;

export const Option = {
  ExportName: 1,
  Abort: 2,
  List: 3,
  StartTls: 5,
  Info: 6,
  Go: 7,
  StructuredReply: 8,
  ListMetaContext: 9,
  SetMetaContext: 10,
} as const;

const ERROR_REPLY = 0x80000000;
export const OptionReply = {
  Ack: 1,
  Server: 2,
  Info: 3,
  MetaContext: 4,
  Unsupported: ERROR_REPLY + 1,
  Policy: ERROR_REPLY + 2,
  Invalid: ERROR_REPLY + 3,
  TlsRequired: ERROR_REPLY + 5,
  UnknownExport: ERROR_REPLY + 6,
  Shutdown: ERROR_REPLY + 7,
} as const;

export const Info = { Export: 0, Name: 1, Description: 2, BlockSize: 3 } as const;

export const TransmissionFlag = {
  HasFlags: 1 << 0,
  ReadOnly: 1 << 1,
  SendFlush: 1 << 2,
  SendFua: 1 << 3,
  SendTrim: 1 << 5,
  SendWriteZeroes: 1 << 6,
  SendDontFragment: 1 << 7,
  CanMultiConn: 1 << 8,
  SendCache: 1 << 10,
  SendFastZero: 1 << 11,
} as const;

export const Command = {
  Read: 0,
  Write: 1,
  Disconnect: 2,
  Flush: 3,
  Trim: 4,
  Cache: 5,
  WriteZeroes: 6,
  BlockStatus: 7,
} as const;

export const CommandFlag = {
  Fua: 1 << 0,
  NoHole: 1 << 1,
  DontFragment: 1 << 2,
  RequestOne: 1 << 3,
  FastZero: 1 << 4,
} as const;

export const ReplyFlag = { Done: 1 << 0 } as const;
export const ReplyType = { None: 0, OffsetData: 1, OffsetHole: 2, BlockStatus: 5, Error: 0x8001 } as const;

/** The error numbers of the protocol; they are Linux's, wherever the server runs. */
export const NbdErrno = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

/** The only metadata context that we serve, the id we give it, and its bits. */
export const ALLOCATION_CONTEXT = 'base:allocation';
export const ALLOCATION_CONTEXT_ID = 1;
export const AllocationFlag = { Hole: 1 << 0, Zero: 1 << 1 } as const;

/** What we tell clients about request sizes: any byte range works, whole data units are fastest. */
export const MIN_BLOCK_BYTES = 1;
export const PREFERRED_BLOCK_BYTES = 4096;
export const MAX_PAYLOAD_BYTES = 32 * 1024 * 1024;
