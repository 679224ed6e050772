import type { Region } from '@holdfast/contracts';
import { type Decider, fold } from '@holdfast/decider';
import { describe, expect, it } from 'vitest';
import samples from '../../test-vectors/events.json' with { type: 'json' };
import { aliasDecider } from './alias.decider.ts';
import type { AliasEvent } from './alias.events.ts';
import { grantDecider } from './grant.decider.ts';
import type { GrantEvent } from './grant.events.ts';
import type { KeyUsed } from './key-use.events.ts';
import { keyDecider } from './key.decider.ts';
import type { KeyEvent } from './key.events.ts';

type AnyEvent = KeyEvent | AliasEvent | GrantEvent | KeyUsed;

/** Every type there is; a new one does not compile until it is listed here, and fails until it has a sample. */
const TYPES: Record<AnyEvent['type'], true> = {
  AliasCreated: true,
  AliasDeleted: true,
  AliasUpdated: true,
  GrantCreated: true,
  GrantRetired: true,
  GrantRevoked: true,
  KeyCreated: true,
  KeyDeleted: true,
  KeyDeletionAwaitsReplicas: true,
  KeyDeletionCancelled: true,
  KeyDeletionScheduled: true,
  KeyDescriptionUpdated: true,
  KeyDisabled: true,
  KeyEnabled: true,
  KeyMaterialDeleted: true,
  KeyMaterialImported: true,
  KeyPolicyPut: true,
  KeyReplicated: true,
  KeyRotated: true,
  KeyRotationDisabled: true,
  KeyRotationEnabled: true,
  KeyTagged: true,
  KeyUntagged: true,
  KeyUsed: true,
  PrimaryRegionUpdated: true,
};

const eventsOf = <Event>(stream: string): Event[] =>
  samples.events.filter((sample) => sample.stream === stream).map(({ data }) => data as Event);

/** The state after each event of the stream, as history has it. */
const states = <Event, State>(decider: Decider<never, Event, State>, stream: string): State[] => {
  const events = eventsOf<Event>(stream);
  return events.map((_, index) => fold(decider, events.slice(0, index + 1), decider.initialState));
};

describe('stored events', () => {
  it('have a sample of every type', () => {
    expect([...new Set(samples.events.map(({ data }) => data.type))].sort()).toEqual(Object.keys(TYPES));
  });

  it('of a key mean what they meant', () => {
    const region = 'eu-central-1' as Region;
    const seen = states(keyDecider, 'key').map((state) => {
      const regional = state.status === 'exists' ? state.regions.get(region) : undefined;
      return regional === undefined ? [state.status] : [regional.status, ...regional.tags.keys()];
    });
    expect(seen).toEqual([
      ['Enabled', 'team'],
      ['Enabled', 'team'],
      ['Disabled', 'team'],
      ['Enabled', 'team'],
      ['Enabled', 'team', 'stage'],
      ['Enabled', 'stage'],
      ['PendingDeletion', 'stage'],
      ['Disabled', 'stage'],
      ['deleted'],
    ]);
  });

  it('of a multi-Region key with imported material mean what they mean', () => {
    const seen = states(keyDecider, 'multi-region-key').map((state) => {
      if (state.status !== 'exists') return state.status;
      const regions = [...state.regions].map(([region, { status }]) => `${region} ${status}`).join(', ');
      const period = state.rotation === null ? '' : ` every ${String(state.rotation.periodInDays)}`;
      const materials = `${String(state.materialIds.length)}${state.pendingMaterialId === null ? '' : '+1'}`;
      return `${regions}; ${materials}${period}; ${state.primaryRegion}`;
    });
    expect(seen).toEqual(samples.multiRegionStates);
  });

  it('of an alias mean what they meant', () => {
    const [created, updated, deleted] = states(aliasDecider, 'alias').map(({ targetKeyId }) => targetKeyId);
    expect(created).toBe('1234abcd-12ab-34cd-56ef-1234567890ab');
    expect(updated).toBe('00000000-0000-4000-8000-000000000000');
    expect(deleted).toBeNull();
  });

  it('of a grant mean what they meant', () => {
    expect(states(grantDecider, 'grant').map(({ status }) => status)).toEqual(['active', 'ended', 'ended']);
  });
});
