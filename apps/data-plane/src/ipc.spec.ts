import { describe, expect, it } from 'vitest';
import { type Channel, CHANNEL_CLOSED, Peer, PeerError, type PeerHandlers } from './ipc.ts';

/** Two ends of one channel, and what crosses it. */
const connected = (left: PeerHandlers, right: PeerHandlers) => {
  const listeners: ((message: unknown) => void)[] = [];
  const closers: (() => void)[] = [];
  const crossed: unknown[] = [];
  const notices: unknown[] = [];
  const channel = (own: number, other: number): Channel => ({
    send: (message) => {
      crossed.push(message);
      queueMicrotask(() => listeners[other]?.(JSON.parse(JSON.stringify(message))));
    },
    onMessage: (listener) => (listeners[own] = listener),
    onClose: (listener) => closers.push(listener),
  });
  const one = new Peer(channel(0, 1), left);
  const two = new Peer(channel(1, 0), right, (name, value) => notices.push([name, value]));
  const close = () => closers.forEach((closer) => closer());
  return { one, two, crossed, notices, close, inject: (message: unknown) => listeners[1]?.(message) };
};

describe('a peer', () => {
  it('answers, and may ask back before it does', async () => {
    const { one, two } = connected(
      { half: (value) => (value as number) / 2 },
      { quarter: async (value) => ((await two.call('half', value)) as number) / 2 },
    );
    expect(await one.call('quarter', 12)).toBe(3);
  });

  it('throws at the caller what the other side threw, by its code', async () => {
    const { one } = connected(
      {},
      {
        refuse: () => Promise.reject(new PeerError('KmsKeyUnusable', 'it is disabled')),
        fail: () => {
          throw new RangeError('too far');
        },
      },
    );
    await expect(one.call('refuse')).rejects.toMatchObject({ code: 'KmsKeyUnusable', message: 'it is disabled' });
    await expect(one.call('fail')).rejects.toMatchObject({ code: 'RangeError', message: 'too far' });
    await expect(one.call('toString')).rejects.toMatchObject({ code: 'UnknownMethod' });
  });

  it('does not fall over what is no message', async () => {
    const { one, inject, notices } = connected({}, { ping: () => 'pong' });
    for (const message of [null, 5, {}, { kind: 'request', id: 'x' }, { kind: 'reply', id: 99 }]) inject(message);
    one.notify('Idle');
    expect(await one.call('ping')).toBe('pong');
    expect(notices).toEqual([['Idle', {}]]);
  });

  it('rejects what is under way, and what comes later, when the other process has gone', async () => {
    const { one, close } = connected({}, { never: () => new Promise(() => undefined) });
    const waiting = one.call('never');
    close();
    await expect(waiting).rejects.toMatchObject({ code: CHANNEL_CLOSED });
    await expect(one.call('never')).rejects.toMatchObject({ code: CHANNEL_CLOSED });
  });
});
