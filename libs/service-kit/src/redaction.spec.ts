import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { redact } from './redaction.ts';

const SECRET = 'c2VjcmV0IGtleSBieXRlcw==';

/** What a logger writes for `fields`, as text and parsed. */
const logged = (fields: object) => {
  const lines: string[] = [];
  const logger = createLogger({
    name: 'kms',
    level: 'info',
    stream: { write: (line: string) => void lines.push(line) },
  });
  logger.info(fields, 'message');
  const text = lines.join('');
  return { text, line: JSON.parse(text) as Record<string, unknown> };
};

describe('a log line', () => {
  it.each([
    'Plaintext', 'PrivateKeyPlaintext', 'plaintext', 'dataKey', 'signingKey', 'keyMaterial', 'key', 'rootKey', 'pin', 'secret',
    'SecretAccessKey', 'secretAccessKey', 'password', 'authorization', 'sessionToken', 'privateKey', 'keyBytes',
    'sealedSigningKey', 'wrappingKey', 'PasswordHash', 'GrantTokens', 'credentials',
  ])('leaves out %s, however deep', (name) => {
    const { text } = logged({ [name]: SECRET, input: { list: [{ [name]: { value: SECRET } }] } });
    expect(text).not.toContain(SECRET);
    expect(text).toContain('[redacted]');
  }); // prettier-ignore

  it.each(['keyArn', 'KeyId', 'requestId', 'action', 'keyState', 'encryptedDataKeySizeBytes', 'dataKeyId'])(
    'keeps %s, which names and does not open',
    (name) => expect(redact({ [name]: 'value' })).toEqual({ [name]: 'value' }),
  );

  it('never shows bytes', () => {
    expect(redact({ a: Buffer.from(SECRET), b: [new Uint8Array(3)] })).toEqual({ a: '[24 bytes]', b: ['[3 bytes]'] });
  });

  it('leaves out what an error carries', () => {
    const error = Object.assign(new Error('failed'), { request: { Plaintext: SECRET }, code: 'X' });
    const { text, line } = logged({ err: new Error('outer', { cause: error }) });
    expect(text).not.toContain(SECRET);
    expect(line['err']).toMatchObject({ message: 'outer', cause: { message: 'failed', code: 'X' } });
    expect(JSON.stringify(line['err'])).toContain('redaction.spec');
  });

  it('ends where data refers to itself', () => {
    const loop: Record<string, unknown> = {};
    loop['loop'] = loop;
    expect(JSON.stringify(redact(loop))).toContain('[deep]');
  });

  it('names its service', () =>
    expect(logged({}).line).toMatchObject({ service: 'kms', level: 'info', msg: 'message' }));
});
