import { expect, it } from 'vitest';
import { isRevoked } from './revocation.ts';

/** A list as DER has it, as far as it matters: serial numbers, each with a time behind it. */
const listOf = (...entries: readonly (readonly [serial: readonly number[], time: string])[]): string => {
  const der = entries.map(([serial, time]) => {
    const entry = Buffer.concat([
      Buffer.of(2, serial.length, ...serial),
      Buffer.of(time.length === 13 ? 0x17 : 0x18, time.length),
      Buffer.from(time),
    ]);
    return Buffer.concat([Buffer.of(0x30, entry.length), entry]);
  });
  return `-----BEGIN X509 CRL-----\n${Buffer.concat(der).toString('base64')}\n-----END X509 CRL-----\n`;
};
const [utc, generalized] = ['261123120000Z', '20501123120000Z'];

it('a certificate is revoked when a list has its serial number', () => {
  const lists = listOf([[0x12, 0x34], utc]) + listOf([[0, 0xab, 0xcd], utc], [[5], generalized]);
  for (const serial of ['1234', 'ABCD', '05', '5']) expect(isRevoked(lists, serial), serial).toBe(true);
  for (const serial of ['12', '34', '3412', 'CD', 'AB', '']) expect(isRevoked(lists, serial), serial).toBe(false);
});

it('nothing is revoked by no list', () => {
  expect(isRevoked('', '1234')).toBe(false);
  expect(isRevoked('-----BEGIN CERTIFICATE-----\nAgISNBcN\n-----END CERTIFICATE-----\n', '1234')).toBe(false);
});
