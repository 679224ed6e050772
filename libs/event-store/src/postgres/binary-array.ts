/** `jsonb`'s object id, the same in every database (pg_type.dat). */
const JSONB_OID = 3802;
/** Dimensions, whether there are nulls, the elements' type, how many they are, and from which index on. */
const HEADER_BYTES = 20;
/** The one version of jsonb's binary format (jsonb_recv). */
const JSONB_VERSION = 1;

/**
 * A parameter of type `jsonb[]` in Postgres' binary format (array_recv): as text every quote of every document would be
 * escaped here and unescaped there, which took as long as making the documents.
 */
export const jsonbArray = (documents: readonly string[]): Buffer => {
  const lengths = documents.map((document) => Buffer.byteLength(document));
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + length + 5, HEADER_BYTES));
  for (const [index, field] of [1, 0, JSONB_OID, documents.length, 1].entries()) bytes.writeInt32BE(field, index * 4);
  let at = HEADER_BYTES;
  for (const [index, document] of documents.entries()) {
    const length = lengths[index] ?? 0;
    bytes.writeInt32BE(length + 1, at);
    bytes[at + 4] = JSONB_VERSION;
    bytes.write(document, at + 5);
    at += length + 5;
  }
  return bytes;
};
