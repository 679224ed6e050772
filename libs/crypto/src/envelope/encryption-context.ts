/** Non-secret pairs that a ciphertext is bound to. Order means nothing, case does; absent and empty are the same. */
export type EncryptionContext = Readonly<Record<string, string>>;

const lengthPrefixed = (text: string): Buffer[] => {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
};

/**
 * One byte string per set of pairs: own keys sorted by their UTF-8 bytes, every key and value preceded by its length, so
 * that no two contexts meet ({a:'bc'} and {ab:'c'} differ).
 * @throws TypeError for a value that is no string, and for a lone surrogate: UTF-8 would write all of those alike.
 */
export const encodeContext = (context: EncryptionContext): Buffer => {
  const pairs = Object.entries(context).map(([key, value]) => {
    if (typeof value !== 'string') throw new TypeError('encryption context: a value is not a string');
    const encoded = [...lengthPrefixed(key), ...lengthPrefixed(value)] as const;
    if (encoded[1]?.toString('utf8') !== key || encoded[3]?.toString('utf8') !== value) {
      throw new TypeError('encryption context: a key or value is not well-formed Unicode');
    }
    return { key: encoded[1], encoded };
  });
  pairs.sort((a, b) => Buffer.compare(a.key, b.key));
  const count = Buffer.alloc(4);
  count.writeUInt32BE(pairs.length);
  return Buffer.concat([count, ...pairs.flatMap(({ encoded }) => encoded)]);
};
