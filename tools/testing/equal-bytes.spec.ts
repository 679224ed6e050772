import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';

it('bytes are equal when each of them is, alone and within others', () => {
  const [bytes, same, another] = [randomBytes(1 << 22), Buffer.alloc(1 << 22), Buffer.alloc(1 << 22)];
  bytes.copy(same);
  bytes.copy(another);
  another.writeUInt8(bytes.readUInt8(4_000_000) ^ 1, 4_000_000);
  expect(bytes).toEqual(same);
  expect({ list: [bytes], n: 1 }).toMatchObject({ list: [same] });
  expect(bytes).not.toEqual(another);
  expect(bytes).not.toEqual(bytes.subarray(1));
  expect({ list: [bytes] }).not.toEqual({ list: [another] });
  expect(Buffer.of(1, 2)).not.toEqual(Buffer.of(1, 3));
  expect(Buffer.of(1, 2)).not.toStrictEqual(Uint8Array.of(1, 2));
});
