/** A block of EBS direct, and the longest body of a frame. */
export const BLOCK_BYTES = 524_288;
/** Of a request: magic, bytes of the ticket, bytes of the block that follows it (0: the block is asked for); u32 BE each. */
export const REQUEST_HEAD_BYTES = 12;
/** Of an answer: magic, bytes of the JSON, bytes of the block that follows it; u32 BE each. */
export const ANSWER_HEAD_BYTES = 12;
export const MAX_TICKET_BYTES = 1024;
export const MAX_JSON_BYTES = 4096;

const REQUEST_MAGIC = 0x48_46_42_51; // HFBQ
const ANSWER_MAGIC = 0x48_46_42_41; // HFBA

/** The peer does not speak as agreed; the connection ends. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** What a host answers besides a block. */
export interface AnswerHead {
  /** Of the block, base64; in the answer to a GET. */
  readonly checksum?: string;
  /** Why not: `code` for whoever asked, who has other words for it. */
  readonly refused?: { readonly code: string; readonly message: string };
}

const head = (magic: number, text: string, bodyBytes: number): Buffer => {
  const bytes = Buffer.allocUnsafe(REQUEST_HEAD_BYTES + Buffer.byteLength(text));
  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt32BE(bytes.length - REQUEST_HEAD_BYTES, 4);
  bytes.writeUInt32BE(bodyBytes, 8);
  bytes.write(text, REQUEST_HEAD_BYTES);
  return bytes;
};

export const requestHead = (ticket: string, bodyBytes: number): Buffer => head(REQUEST_MAGIC, ticket, bodyBytes);

export const answerHead = (answer: AnswerHead, bodyBytes: number): Buffer => {
  const text = JSON.stringify(answer);
  if (text.length > MAX_JSON_BYTES / 4) {
    const { code = 'Failed', message = '' } = answer.refused ?? {};
    return answerHead({ refused: { code: code.slice(0, 100), message: message.slice(0, 500) } }, bodyBytes);
  }
  return head(ANSWER_MAGIC, text, bodyBytes);
};

/** Lengths in the first bytes of a frame; null: not yet all of them. @throws WireError */
const lengths = (bytes: Buffer, magic: number, maxText: number): { textBytes: number; bodyBytes: number } | null => {
  if (bytes.length < REQUEST_HEAD_BYTES) return null;
  const [textBytes, bodyBytes] = [bytes.readUInt32BE(4), bytes.readUInt32BE(8)];
  if (bytes.readUInt32BE(0) !== magic) throw new WireError('wrong magic');
  if (textBytes > maxText || bodyBytes > BLOCK_BYTES) throw new WireError('a frame too long');
  return { textBytes, bodyBytes };
};

export const requestLengths = (bytes: Buffer) => lengths(bytes, REQUEST_MAGIC, MAX_TICKET_BYTES);

export const answerLengths = (bytes: Buffer) => lengths(bytes, ANSWER_MAGIC, MAX_JSON_BYTES);
