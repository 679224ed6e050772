import { describe, expect, it } from 'vitest';
import { assertNever, type Decider, DomainError, fold, VersionConflict } from './index.ts';
import { specification } from './testing/index.ts';

type Event = { readonly type: 'Opened' } | { readonly type: 'Closed' };
type Command = { readonly type: 'Open' | 'Close' | 'Fail' };

const door: Decider<Command, Event, { open: boolean }> = {
  initialState: { open: false },
  evolve: (_, event) => ({ open: event.type === 'Opened' }),
  decide: (command, { open }) => {
    if (command.type === 'Fail') throw new RangeError('a bug');
    if (command.type === 'Open') return open ? [] : [{ type: 'Opened' }];
    if (!open) throw new DomainError('NotOpen', { door: 1 });
    return [{ type: 'Closed' }];
  },
};
const opened: Event = { type: 'Opened' };
const closed: Event = { type: 'Closed' };

describe('fold', () => {
  it('replays events in their order', () => {
    expect(fold(door, [opened, closed, opened], { open: false })).toEqual({ open: true });
    expect(fold(door, [opened, closed], { open: false })).toEqual({ open: false });
  });

  it('of no events is the state it began with', () => {
    const state = { open: true };
    expect(fold(door, [], state)).toBe(state);
  });
});

describe('a specification', () => {
  const given = specification(door);

  it('holds when the decision is as it says', () => {
    given().when({ type: 'Open' }).then(opened);
    given(opened).when({ type: 'Open' }).thenNothing();
    given(opened, closed).when({ type: 'Close' }).thenRefuses('NotOpen');
  });

  it.each([
    ['other events', () => given().when({ type: 'Open' }).then(closed)],
    ['more events', () => given().when({ type: 'Open' }).then(opened, opened)],
    ['events instead of none', () => given().when({ type: 'Open' }).thenNothing()],
    ['events instead of a refusal', () => given().when({ type: 'Open' }).thenRefuses('NotOpen')],
    ['another rule', () => given().when({ type: 'Close' }).thenRefuses('Other')],
    ['a bug instead of a refusal', () => given().when({ type: 'Fail' }).thenRefuses('NotOpen')],
    ['a refusal instead of events', () => given().when({ type: 'Close' }).then(closed)],
  ])('fails on %s', (_, check) => {
    expect(check).toThrow();
  });
});

describe('errors', () => {
  it('are told apart by type and carry what their handlers need', () => {
    expect(new DomainError('NotOpen', { door: 1 })).toMatchObject({
      code: 'NotOpen',
      details: { door: 1 },
      name: 'DomainError',
    });
    expect(new VersionConflict('door-1', 3)).toMatchObject({
      streamId: 'door-1',
      expectedVersion: 3,
      name: 'VersionConflict',
    });
    expect(new VersionConflict('door-1', 3)).not.toBeInstanceOf(DomainError);
  });

  it('assertNever names the value that no case expected', () => {
    expect(() => assertNever({ type: 'Lost' } as never)).toThrow('{"type":"Lost"}');
  });
});
