import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANY_ONE, ANY_RUN, globOf, matchGlob, matchTokens } from './glob.ts';
import { expandTemplate, parseTemplate } from './template.ts';

const tokensOf = (pattern: string): number[] =>
  [...pattern].map((unit) => (unit === '*' ? ANY_RUN : unit === '?' ? ANY_ONE : unit.charCodeAt(0)));

/** The definition, word for word; exponential, and so only for short text. */
const naive = (pattern: string, text: string): boolean => {
  if (pattern === '') return text === '';
  const rest = pattern.slice(1);
  if (pattern.startsWith('*')) return naive(rest, text) || (text !== '' && naive(pattern, text.slice(1)));
  return text !== '' && (pattern.startsWith('?') || pattern.startsWith(text.charAt(0))) && naive(rest, text.slice(1));
};

const letters = (units: string[]) => fc.array(fc.constantFrom(...units), { maxLength: 9 }).map((list) => list.join(''));

describe('globs', () => {
  it.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['', '', true],
    ['', 'a', false],
    ['?', '', false],
    ['?', 'a', true],
    ['a*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*c', 'acb', false],
    ['*b*', 'abc', true],
    ['a**', 'a', true],
    ['*.*', 'a.b.c', true],
    ['kms:Re*', 'kms:Get', false],
    ['a+(b)', 'a+(b)', true],
  ])('%j matches %j: %s', (pattern, text, expected) => {
    expect(matchGlob(globOf(tokensOf(pattern)), text)).toBe(expected);
  });

  it('agree with their definition', () => {
    fc.assert(
      fc.property(letters(['a', 'b', '*', '?']), letters(['a', 'b']), (pattern, text) => {
        const tokens = tokensOf(pattern);
        expect(matchTokens(tokens, text)).toBe(naive(pattern, text));
        expect(matchGlob(globOf(tokens), text)).toBe(naive(pattern, text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('take no more steps than tokens times characters', () => {
    const bounded = (pattern: string, text: string) => {
      const count = { steps: 0 };
      matchTokens(tokensOf(pattern), text, count);
      expect(count.steps).toBeLessThanOrEqual((pattern.length + 1) * (text.length + 1));
    };
    bounded(`${'*a'.repeat(100)}b`, 'a'.repeat(2_000));
    bounded(`${'a*'.repeat(100)}b`, 'a'.repeat(2_000));
    bounded(`*${'a'.repeat(500)}b`, 'a'.repeat(2_000));
    bounded(`${'?*'.repeat(200)}b`, 'a'.repeat(400));
    fc.assert(fc.property(letters(['a', 'b', '*', '?']), letters(['a', 'b']), bounded));
  });
});

describe('policy variables', () => {
  const values: Record<string, string> = {
    'aws:username': 'bob',
    'aws:principaltag/team': '*',
    'aws:userid': '${aws:username}',
  };
  const matches = (source: string, text: string, syntax = { variables: true, wildcards: true }): boolean => {
    const glob = expandTemplate(parseTemplate(source, syntax), (key) => values[key]);
    return glob !== null && matchGlob(glob, text);
  };

  it.each([
    ['home/${aws:username}/*', 'home/bob/x', true],
    ['home/${AWS:UserName}', 'home/bob', true],
    ['home/${ aws:username }', 'home/bob', true],
    ['home/${aws:username}', 'home/eve', false],
    ['${aws:absent}', '', false],
    ['${aws:absent}', '${aws:absent}', false],
    ["${aws:absent, 'nobody'}", 'nobody', true],
    ["${aws:username, 'nobody'}", 'bob', true],
    ["${aws:absent, ''}x", 'x', true],
    // A value's own wildcards and variables are text.
    ['${aws:PrincipalTag/Team}', 'anything', false],
    ['${aws:PrincipalTag/Team}', '*', true],
    ['${aws:userid}', 'bob', false],
    ["${aws:absent, '*'}", 'anything', false],
    ['${*}', 'anything', false],
    ['${*}', '*', true],
    ['${?}', '?', true],
    ['${$}{aws:username}', '${aws:username}', true],
    // What is no variable stands for itself.
    ['${aws:username', '${aws:username', true],
    ['${}', '${}', true],
    ['${aws:username, nobody}', '${aws:username, nobody}', true],
  ])('%j matches %j: %s', (source, text, expected) => {
    expect(matches(source, text)).toBe(expected);
  });

  it('are text in policies of 2008, and wildcards text where an operator has none', () => {
    expect(matches('${aws:username}', '${aws:username}', { variables: false, wildcards: true })).toBe(true);
    expect(matches('a*', 'ab', { variables: true, wildcards: false })).toBe(false);
    expect(matches('a*', 'a*', { variables: true, wildcards: false })).toBe(true);
  });
});
