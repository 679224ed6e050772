// Values of typed conditions, read from text. Null: it is no such value.

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

export const parseNumber = (text: string): number | null => (NUMBER.test(text) ? Number(text) : null);

/** W3C date and time formats, zone optional: without one it is UTC. */
const W3C_DATE = /^\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/;
/** Four digits are a year. */
const EPOCH_SECONDS = /^(?!\d{4}$)\d{1,12}(?:\.\d{1,9})?$/;

/** Epoch milliseconds, of a W3C date or of epoch seconds. */
export const parseDate = (text: string): number | null => {
  if (EPOCH_SECONDS.test(text)) return Number(text) * 1000;
  const form = W3C_DATE.exec(text);
  if (form === null) return null;
  const atMs = Date.parse(text.includes('T') && form[1] === undefined ? `${text}Z` : text);
  return Number.isNaN(atMs) ? null : atMs;
};

export const parseBool = (text: string): boolean | null => {
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : null;
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Base64 is compared as the bytes it stands for. */
export const parseBinary = (text: string): string | null =>
  BASE64.test(text) ? Buffer.from(text, 'base64').toString('base64') : null;

export interface IpRange {
  readonly family: 4 | 6;
  readonly value: bigint;
  /** Leading bits that count. */
  readonly prefixBits: number;
}

const parseIpv4 = (text: string): bigint | null => {
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255)) return null;
  return octets.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
};

/** The groups of one side of `::`; the last may be an IPv4 address. */
const parseGroups = (text: string): bigint[] | null => {
  if (text === '') return [];
  const groups: bigint[] = [];
  const words = text.split(':');
  for (const [index, word] of words.entries()) {
    const ipv4 = index === words.length - 1 ? parseIpv4(word) : null;
    if (ipv4 !== null) groups.push(ipv4 >> 16n, ipv4 & 0xffffn);
    else if (/^[0-9a-fA-F]{1,4}$/.test(word)) groups.push(BigInt(`0x${word}`));
    else return null;
  }
  return groups;
};

const parseIpv6 = (text: string): bigint | null => {
  const sides = text.split('::');
  const head = parseGroups(sides[0] ?? '');
  const tail = sides.length === 2 ? parseGroups(sides[1] ?? '') : [];
  if (head === null || tail === null || sides.length > 2) return null;
  const absent = 8 - head.length - tail.length;
  if (sides.length === 2 ? absent < 1 : absent !== 0) return null;
  const groups = [...head, ...Array.from({ length: absent }, () => 0n), ...tail];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
};

/** `::ffff:a.b.c.d`: how a dual-stack socket shows an IPv4 address. */
const MAPPED_IPV4 = 0xffffn << 32n;

const parseAddress = (text: string): Omit<IpRange, 'prefixBits'> | null => {
  if (text.length > 45) return null;
  const ipv4 = parseIpv4(text);
  if (ipv4 !== null) return { family: 4, value: ipv4 };
  const ipv6 = parseIpv6(text);
  if (ipv6 === null) return null;
  return ipv6 >> 32n === MAPPED_IPV4 >> 32n ? { family: 4, value: ipv6 & 0xffff_ffffn } : { family: 6, value: ipv6 };
};

const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** An address, or a range in CIDR notation. */
export const parseIpRange = (text: string): IpRange | null => {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === null) return null;
  const bits = bitsOf(address.family);
  if (slash === -1) return { ...address, prefixBits: bits };
  const prefix = text.slice(slash + 1);
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits ? { ...address, prefixBits: Number(prefix) } : null;
};

/** @param address of a request: a range of one. */
export const ipInRange = (address: IpRange, range: IpRange): boolean => {
  if (address.family !== range.family || address.prefixBits !== bitsOf(address.family)) return false;
  const ignored = BigInt(bitsOf(range.family) - range.prefixBits);
  return address.value >> ignored === range.value >> ignored;
};
