import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SealedAuthorizationMessages, SealedMarkers } from './sealed-texts.ts';
import { secretsKeysOf } from './secrets-keys.ts';

const keys = secretsKeysOf([randomBytes(32)]);

/** A valid text with some characters replaced, removed, added or repeated. */
const mutated = (valid: string) =>
  fc
    .array(fc.record({ at: fc.nat(valid.length - 1), what: fc.string({ maxLength: 3 }), length: fc.nat(3) }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) =>
      edits.reduce((text, { at, what, length }) => text.slice(0, at) + what + text.slice(at + length), valid),
    )
    .filter((text) => text !== valid);

describe('authorization messages', () => {
  it('come back as they were, whatever they say', () => {
    const messages = new SealedAuthorizationMessages(keys);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (message) => {
        expect(messages.decode('111122223333', messages.encode('111122223333', message))).toBe(message);
      }),
      { numRuns: 200 },
    );
  });

  it('that were changed or made up are none', () => {
    const messages = new SealedAuthorizationMessages(keys);
    const valid = messages.encode('111122223333', '{"allowed":false}');
    fc.assert(
      fc.property(fc.oneof(mutated(valid), fc.string(), fc.base64String()), (text) => {
        expect(messages.decode('111122223333', text)).toBeNull();
      }),
      { numRuns: 5000 },
    );
    expect(messages.decode('444455556666', valid)).toBeNull();
  });
});

describe('markers', () => {
  it('are good for their own list only', () => {
    const markers = new SealedMarkers(keys);
    const marker = markers.write('["111122223333","users"]', 'ada');
    expect(markers.read('["111122223333","users"]', marker)).toBe('ada');
    expect(markers.read('["111122223333","roles"]', marker)).toBeNull();
  });

  it('that were changed or made up are none', () => {
    const markers = new SealedMarkers(keys);
    const valid = markers.write('users', 'ada');
    fc.assert(
      fc.property(fc.oneof(mutated(valid), fc.string(), fc.base64String()), (text) => {
        expect(markers.read('users', text)).toBeNull();
      }),
      { numRuns: 5000 },
    );
  });
});
