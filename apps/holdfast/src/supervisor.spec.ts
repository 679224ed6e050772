import { describe, expect, it, vi } from 'vitest';
import { supervise, type Server, type SupervisorHooks } from './supervisor.ts';

/** Servers that die when they are told to. */
const fakeServers = () => {
  const started: (Server & { die: () => void })[] = [];
  const ports: (number | undefined)[] = [];
  const start = async (port?: number): Promise<Server> => {
    ports.push(port);
    let die: () => void = () => undefined;
    const exited = new Promise<void>((resolve) => (die = resolve));
    const server = { port: port ?? 5000, pid: 100 + started.length, exited, die, stop: async () => die() };
    started.push(server);
    return server;
  };
  return { started, ports, start };
};

const silent: SupervisorHooks = { onDeath: () => undefined, onRestart: () => undefined, onGiveUp: () => undefined };

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

const fakeTime = () => {
  const time = { ms: 0, now: () => time.ms, pause: async (ms: number) => void (time.ms += ms) };
  return time;
};

describe('a supervised server', () => {
  it('that dies is started again on its port', async () => {
    const { started, ports, start } = fakeServers();
    const onRestart = vi.fn();
    const supervised = await supervise('x', start, { ...silent, onRestart });
    started[0]!.die();
    await settle();
    expect(ports).toEqual([undefined, 5000]);
    expect(supervised.current().pid).toBe(101);
    expect(onRestart).toHaveBeenCalledWith('x', started[1]);
  });

  it('that is stopped stays stopped', async () => {
    const { started, start } = fakeServers();
    const onDeath = vi.fn();
    const supervised = await supervise('x', start, { ...silent, onDeath });
    await supervised.stop();
    await settle();
    expect(started).toHaveLength(1);
    expect(onDeath).not.toHaveBeenCalled();
  });

  it('that dies six times within a minute is given up', async () => {
    const { started, start } = fakeServers();
    const onGiveUp = vi.fn();
    await supervise('x', start, { ...silent, onGiveUp }, fakeTime());
    for (let death = 0; death < 6; death++) {
      started.at(-1)!.die();
      await settle();
    }
    expect(started).toHaveLength(6);
    expect(onGiveUp).toHaveBeenCalledOnce();
  });

  it('that dies now and then is never given up', async () => {
    const { started, start } = fakeServers();
    const onGiveUp = vi.fn();
    const time = fakeTime();
    await supervise('x', start, { ...silent, onGiveUp }, time);
    for (let death = 0; death < 20; death++) {
      started.at(-1)!.die();
      await settle();
      time.ms += 30_000;
    }
    expect(started).toHaveLength(21);
    expect(onGiveUp).not.toHaveBeenCalled();
  });

  it('that cannot be started again is given up', async () => {
    const { started, start } = fakeServers();
    const onGiveUp = vi.fn();
    const failing = (port?: number) => (port === undefined ? start() : Promise.reject(new Error('no')));
    await supervise('x', failing, { ...silent, onGiveUp }, fakeTime());
    started[0]!.die();
    await settle();
    expect(onGiveUp).toHaveBeenCalledWith('x', new Error('no'));
  });

  it('whose start fails at first is tried again', async () => {
    const { started, start } = fakeServers();
    const onGiveUp = vi.fn();
    let failures = 3;
    const failing = (port?: number) =>
      port !== undefined && failures-- > 0 ? Promise.reject(new Error('still in use')) : start(port);
    const supervised = await supervise('x', failing, { ...silent, onGiveUp }, fakeTime());
    started[0]!.die();
    await settle();
    expect(onGiveUp).not.toHaveBeenCalled();
    expect(supervised.current().pid).toBe(101);
  });

  it('that is being started again while it is stopped does not stay', async () => {
    const { started, start } = fakeServers();
    let letGo: () => void = () => undefined;
    const slow = async (port?: number) => {
      if (port !== undefined) await new Promise<void>((resolve) => (letGo = resolve));
      return start(port);
    };
    const supervised = await supervise('x', slow, silent);
    started[0]!.die();
    await settle();
    const stopped = supervised.stop();
    letGo();
    await stopped;
    await settle();
    expect(started).toHaveLength(2);
    await started[1]!.exited;
  });
});
