import type { Instant } from '@holdfast/contracts';

/** EC2 shows times of volumes in whole seconds: `2026-01-31T12:00:00.000Z`. */
export const wholeSeconds = (at: Instant): Instant => `${at.slice(0, 19)}.000Z` as Instant;
