import { describe, expect, it } from 'vitest';
import { parseNatsUrl } from './nats.ts';

describe('NATS_URL', () => {
  it.each([
    ['nats://host:4222', { servers: 'nats://host:4222' }],
    ['host:4222', { servers: 'nats://host:4222' }],
    ['nats://a:1, nats://b:2', { servers: 'nats://a:1,nats://b:2' }],
    ['nats://me:p%40ss@host:4222', { servers: 'nats://host:4222', user: 'me', password: 'p@ss' }],
  ])('%s', (text, expected) => expect(parseNatsUrl(text)).toEqual(expected));

  it.each(['nats://', ',', 'nats://a b'])('refuses %j without repeating it, since it may hold a password', (text) => {
    expect(() => parseNatsUrl(text)).toThrow('NATS_URL is not an address like');
  });
});
