import type { Policy } from './policy.ts';

/** The users, roles, sessions and accounts that a policy names, each once: whoever stores it asks whether they exist. */
export const principalsOf = (policy: Policy): readonly string[] => [
  ...new Set(policy.statements.flatMap(({ principals }) => principals?.aws ?? [])),
];
