/**
 * When a stored client token was first used.
 * @param result what is stored with it; one stored without its time counts as used now, so that it never stands for two launches.
 */
export const usedAt = (result: unknown, now: Date): string => (result as { at?: string }).at ?? now.toISOString();
