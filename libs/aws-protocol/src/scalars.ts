/** Scalar texts that several protocols read or write. */

/** ISO-8601 date and time with a zone; seconds and fraction optional. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** ISO-8601 in UTC with milliseconds, or undefined when `text` is no timestamp. */
export const readTimestamp = (text: string): string | undefined => {
  if (!DATE_TIME.test(text) && !DATE.test(text)) return undefined;
  return fromEpochMs(Date.parse(text));
};

/** ISO-8601 in UTC, or undefined outside the years 0 to 9999. */
export const fromEpochMs = (ms: number): string | undefined =>
  ms >= -62_167_219_200_000 && ms < 253_402_300_800_000 ? new Date(ms).toISOString() : undefined;

const NORMALISED = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** ISO-8601 in UTC with milliseconds. @throws RangeError when `text` is no timestamp */
export const writeTimestamp = (text: string): string => {
  const ms = Date.parse(text);
  return NORMALISED.test(text) && !Number.isNaN(ms) ? text : new Date(ms).toISOString();
};

const INT32_MAX = 2 ** 31 - 1;

/** Whether `value` is in the range of the table's number type. */
export const isNumberOf = (type: 'i' | 'l' | 'd', value: number): boolean => {
  if (type === 'd') return Number.isFinite(value);
  if (!Number.isSafeInteger(value)) return false;
  return type === 'l' || (value >= -INT32_MAX - 1 && value <= INT32_MAX);
};

/** A decimal number as text, or undefined when it is none or out of the type's range. */
export const readNumber = (type: 'i' | 'l' | 'd', text: string): number | undefined => {
  const pattern = type === 'd' ? /^[+-]?\d{1,32}(?:\.\d{1,32})?(?:[eE][+-]?\d{1,3})?$/ : /^[+-]?\d{1,19}$/;
  if (!pattern.test(text)) return undefined;
  const value = Number(text);
  return isNumberOf(type, value) ? value : undefined;
};

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Whether `text` is base64 with its padding. */
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && BASE64.test(text);

/** Bytes that a base64 text stands for. */
export const base64Length = (text: string): number =>
  (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);

export const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);
