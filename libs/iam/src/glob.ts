// Matching of `*` and `?` without regular expressions: a policy is written by strangers, and must not be able to stall us.

/** A run of any length, and one character; every other token is a UTF-16 code unit. */
export const ANY_RUN = -1;
export const ANY_ONE = -2;

export type Glob =
  | { readonly kind: 'everything' }
  | { readonly kind: 'exact'; readonly text: string }
  /** Literal text between `*`s: `head*middle*middle*tail`. */
  | { readonly kind: 'segments'; readonly head: string; readonly middle: readonly string[]; readonly tail: string }
  /** Has a `?`. */
  | { readonly kind: 'tokens'; readonly tokens: readonly number[] };

/** Counts comparisons, so that a test can hold the matcher to its bound. */
export interface StepCount {
  steps: number;
}

/**
 * Greedy matching that goes back only to the last `*`: at most (tokens + 1) × (characters + 1) steps, whatever the pattern.
 */
export const matchTokens = (tokens: readonly number[], text: string, count?: StepCount): boolean => {
  let token = 0;
  let at = 0;
  let lastRun = -1;
  let runEnd = 0;
  while (at < text.length) {
    if (count !== undefined) count.steps += 1;
    const wanted = tokens[token];
    if (wanted === ANY_RUN) {
      lastRun = token;
      token += 1;
      runEnd = at;
    } else if (wanted === ANY_ONE || wanted === text.charCodeAt(at)) {
      token += 1;
      at += 1;
    } else if (lastRun >= 0) {
      token = lastRun + 1;
      runEnd += 1;
      at = runEnd;
    } else return false;
  }
  while (tokens[token] === ANY_RUN) token += 1;
  return token === tokens.length;
};

const textOf = (tokens: readonly number[]): string => tokens.map((unit) => String.fromCharCode(unit)).join('');

const segmentsOf = (tokens: readonly number[]): Glob => {
  const texts: string[] = [];
  let from = 0;
  for (let at = tokens.indexOf(ANY_RUN); at !== -1; at = tokens.indexOf(ANY_RUN, from)) {
    texts.push(textOf(tokens.slice(from, at)));
    from = at + 1;
  }
  const [head = '', ...middle] = texts;
  return { kind: 'segments', head, middle: middle.filter((text) => text !== ''), tail: textOf(tokens.slice(from)) };
};

/** Picks the cheapest form that means the same. */
export const globOf = (tokens: readonly number[]): Glob => {
  if (tokens.length === 1 && tokens[0] === ANY_RUN) return { kind: 'everything' };
  if (tokens.every((token) => token >= 0)) return { kind: 'exact', text: textOf(tokens) };
  return tokens.includes(ANY_ONE) ? { kind: 'tokens', tokens } : segmentsOf(tokens);
};

/** The first place of each segment is the best one: as with tokens, nothing is tried twice. */
const matchSegments = ({ head, middle, tail }: Extract<Glob, { kind: 'segments' }>, text: string): boolean => {
  const end = text.length - tail.length;
  if (end < head.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  let from = head.length;
  for (const segment of middle) {
    const at = text.indexOf(segment, from);
    from = at + segment.length;
    if (at === -1 || from > end) return false;
  }
  return true;
};

export const matchGlob = (glob: Glob, text: string): boolean => {
  switch (glob.kind) {
    case 'everything':
      return true;
    case 'exact':
      return glob.text === text;
    case 'segments':
      return matchSegments(glob, text);
    case 'tokens':
      return matchTokens(glob.tokens, text);
  }
};
