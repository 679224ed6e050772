import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SignedGrantTokens } from './signed-grant-tokens.ts';
import { SignedMarkers } from './signed-markers.ts';
import { signText, verifyText } from './signed-text.ts';

const key = randomBytes(32);

describe('signed text', () => {
  it('is read by whoever has the key, an earlier one included', () => {
    const text = signText([key], Buffer.from('payload'));
    expect(verifyText([randomBytes(32), key], text)?.toString()).toBe('payload');
    expect(verifyText([randomBytes(32)], text)).toBeNull();
  });

  it('is refused when changed, cut or made up', () => {
    const text = signText([key], Buffer.from('payload'));
    const bytes = Buffer.from(text, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      expect(verifyText([key], flipped.toString('base64url'))).toBeNull();
    }
    for (let length = 0; length < text.length; length++) expect(verifyText([key], text.slice(0, length))).toBeNull();
    for (const odd of ['', '!', ' ', `${text} `, `${text}=`, `${text}AAAA`]) expect(verifyText([key], odd)).toBeNull();
  });
});

describe('grant tokens', () => {
  const tokens = new SignedGrantTokens([key]);
  it('differ each time and say the same', () => {
    const [one, two] = [tokens.issue('grant', 'key'), tokens.issue('grant', 'key')];
    expect(one).not.toBe(two);
    for (const token of [one, two]) expect(tokens.read(token)).toEqual({ grantId: 'grant', keyId: 'key' });
  });
  it('that were not issued are refused', () => {
    expect(() => tokens.read('made-up')).toThrow(expect.objectContaining({ code: 'InvalidGrantToken' }));
  });
});

describe('markers', () => {
  const markers = new SignedMarkers([key]);
  it('go on with their own list only', () => {
    const marker = markers.write('list', 'alias/ä');
    expect(markers.read('list', marker)).toBe('alias/ä');
    expect(() => markers.read('another', marker)).toThrow(expect.objectContaining({ code: 'InvalidMarker' }));
    expect(() => markers.read('list', `${marker}A`)).toThrow(expect.objectContaining({ code: 'InvalidMarker' }));
  });
});
