import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { type SessionKeys, Sessions } from './sessions.ts';

const making = () => {
  const made: SessionKeys[] = [];
  const make = () => {
    const keys = { enc: randomBytes(65), key: createSecretKey(randomBytes(32)) };
    made.push(keys);
    return Promise.resolve(keys);
  };
  return { made, make };
};
const enc = (session: SessionKeys) => session.enc;
const limits = { sessions: 2, ageMs: 1000, messages: 3 };

describe('sessions', () => {
  it('end after their number of messages', async () => {
    const { made, make } = making();
    const sessions = new Sessions(limits);
    for (let n = 0; n < 7; n++) await sessions.use('a', make, enc);
    expect(made).toHaveLength(3);
  });

  it('end after their time', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { made, make } = making();
      const sessions = new Sessions(limits);
      await sessions.use('a', make, enc);
      vi.advanceTimersByTime(999);
      await sessions.use('a', make, enc);
      expect(made).toHaveLength(1);
      vi.advanceTimersByTime(1);
      await sessions.use('a', make, enc);
      expect(made).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('make room for others, the least recently used first', async () => {
    const { made, make } = making();
    const sessions = new Sessions(limits);
    for (const name of ['a', 'b', 'a', 'c']) await sessions.use(name, make, enc);
    expect(made).toHaveLength(3);
    for (const name of ['a', 'c']) await sessions.use(name, make, enc);
    expect(made).toHaveLength(3);
    await sessions.use('b', make, enc);
    expect(made).toHaveLength(4);
  });

  it('are made once for those who come at once, and again after a failure', async () => {
    const { made, make } = making();
    const sessions = new Sessions(limits);
    await expect(sessions.use('a', () => Promise.reject(new Error('no')), enc)).rejects.toThrow('no');
    await Promise.all([1, 2, 3].map(() => sessions.use('a', make, enc)));
    expect(made).toHaveLength(1);
  });

  it('are gone when closed, those on their way too', async () => {
    const { made, make } = making();
    const sessions = new Sessions(limits);
    await sessions.use('a', make, enc);
    const coming = sessions.use('b', make, enc);
    sessions.close();
    await expect(coming).rejects.toThrow('no session');
    await expect(sessions.use('a', make, enc)).rejects.toThrow('no session');
    expect(made).toHaveLength(2);
  });
});
