/** How long EC2 remembers a client token, in milliseconds; a later request with the same one is a new request. */
const LIFETIME_MS = 12 * 60 * 60 * 1000;

/** @param usedAt when the token was first used. */
export const isTokenForgotten = (usedAt: string, now: Date): boolean =>
  now.getTime() - Date.parse(usedAt) >= LIFETIME_MS;

interface ScopedToken {
  readonly scope: string;
  readonly token: string;
}

/**
 * A request's token as it is stored, apart from uses of the same text that are forgotten by now: what is stored is never
 * deleted, so each later use has a scope of its own.
 * @param find looks a token up where it is stored.
 * @param storedAt when a stored one was first used.
 * @returns with `stored`: the request that the token stands for; null: there is none.
 */
export const livingToken = async <Token extends ScopedToken>(
  token: Token,
  find: (scope: string, token: string) => Promise<Token | null>,
  storedAt: (stored: Token) => string,
  now: Date,
): Promise<{ token: Token; stored: Token | null }> => {
  for (let use = 1; ; use++) {
    const current = use === 1 ? token : { ...token, scope: `${token.scope}#${String(use)}` };
    const stored = await find(current.scope, current.token);
    if (stored === null || !isTokenForgotten(storedAt(stored), now)) return { token: current, stored };
  }
};
