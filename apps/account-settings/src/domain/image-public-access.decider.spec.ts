import { instant } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { imagePublicAccessDecider } from './image-public-access.decider.ts';
import type { ImagePublicAccessEvent } from './image-public-access.events.ts';

const given = specification(imagePublicAccessDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const block = { type: 'BlockImagePublicAccess', at } as const;
const unblock = { type: 'UnblockImagePublicAccess', at } as const;
const blocked: ImagePublicAccessEvent = { type: 'ImagePublicAccessBlocked', at };
const unblocked: ImagePublicAccessEvent = { type: 'ImagePublicAccessUnblocked', at };

describe('block public access for images', () => {
  it('is on in a new account, and goes off and on', () => {
    given().when(block).thenNothing();
    given().when(unblock).then(unblocked);
    given(unblocked).when(block).then(blocked);
    given(unblocked, blocked).when(unblock).then(unblocked);
  });

  it('repeats nothing', () => {
    given(unblocked).when(unblock).thenNothing();
    given(unblocked, blocked).when(block).thenNothing();
  });
});
