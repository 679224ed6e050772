/** Shown where a value was. */
const REDACTED = '[redacted]';
/** Deeper values are not logged: a log line is no data dump. */
const MAX_DEPTH = 6;

/**
 * Names of fields that hold, or may hold, key bytes or credentials: AWS's `Plaintext`, `PrivateKeyPlaintext`, our own
 * `plaintext`, `dataKey`, `signingKey`, `keyMaterial`, secrets, passwords, tokens and authorization headers. Ids, ARNs
 * and names of keys stay readable.
 */
const SENSITIVE =
  /plaintext|secret|password|passphrase|credential|authorization|token|private_?key|keymaterial|^(?:data|signing|wrapping|root|sealing|symmetric|raw|master|encryption)?key(?:bytes|s)?$|^sealed|^pin$/i;

const redactValue = (value: unknown, depth: number): unknown => {
  if (ArrayBuffer.isView(value)) return `[${String(value.byteLength)} bytes]`;
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return redactFields(value, depth);
};

const redactFields = (fields: object, depth: number): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      SENSITIVE.test(name) ? REDACTED : redactValue(value, depth + 1),
    ]),
  );

const redactError = (error: Error, depth: number): Record<string, unknown> => ({
  ...redactFields(error, depth),
  type: error.name,
  message: error.message,
  stack: error.stack,
  ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) }),
});

/** The same fields with sensitive values and bytes left out, at every depth; errors become plain objects. */
export const redact = (fields: object): Record<string, unknown> => redactFields(fields, 0);
