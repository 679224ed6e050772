import {
  CommandFlag,
  OPTION_HEADER_BYTES,
  OPTION_MAGIC,
  REQUEST_BYTES,
  REQUEST_MAGIC,
  type Command,
  type Option,
} from './wire.ts';

type Values<T> = T[keyof T];

/** The client's answer to the greeting. */
export const encodeClientFlags = (flags: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(flags);
  return bytes;
};

export const encodeOption = (option: Values<typeof Option> | number, data: Buffer = Buffer.alloc(0)): Buffer => {
  const header = Buffer.alloc(OPTION_HEADER_BYTES);
  header.writeBigUInt64BE(OPTION_MAGIC, 0);
  header.writeUInt32BE(option, 8);
  header.writeUInt32BE(data.length, 12);
  return Buffer.concat([header, data]);
};

/** The data of INFO and GO. */
export const encodeExportRequest = (name: string, infos: readonly number[]): Buffer => {
  const nameBytes = Buffer.from(name);
  const bytes = Buffer.alloc(4 + nameBytes.length + 2 + infos.length * 2);
  bytes.writeUInt32BE(nameBytes.length, 0);
  nameBytes.copy(bytes, 4);
  let at = bytes.writeUInt16BE(infos.length, 4 + nameBytes.length);
  for (const info of infos) at = bytes.writeUInt16BE(info, at);
  return bytes;
};

export interface RequestFields {
  readonly type: Values<typeof Command> | number;
  readonly cookie: bigint;
  readonly offsetBytes?: number | bigint;
  readonly lengthBytes?: number;
  readonly flags?: number;
}

/** The fixed part of a request; a WRITE's data follows it. */
export const encodeRequest = ({ type, cookie, offsetBytes = 0, lengthBytes = 0, flags = 0 }: RequestFields): Buffer => {
  const bytes = Buffer.alloc(REQUEST_BYTES);
  bytes.writeUInt32BE(REQUEST_MAGIC, 0);
  bytes.writeUInt16BE(flags, 4);
  bytes.writeUInt16BE(type, 6);
  bytes.writeBigUInt64BE(cookie, 8);
  bytes.writeBigUInt64BE(BigInt(offsetBytes), 16);
  bytes.writeUInt32BE(lengthBytes, 24);
  return bytes;
};

/** The command flag that asks for durability before the answer. */
export const fuaFlag = (fua = false): number => (fua ? CommandFlag.Fua : 0);
