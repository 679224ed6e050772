import { randomBytes, randomInt } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const BODY_CHARACTERS = 17;

/** What an id is of. @see IAM identifiers, unique identifiers */
const PREFIXES = {
  user: 'AIDA',
  group: 'AGPA',
  role: 'AROA',
  policy: 'ANPA',
  'instance-profile': 'AIPA',
  accessKey: 'AKIA',
  temporaryAccessKey: 'ASIA',
} as const;

const body = (characters: number) =>
  Array.from({ length: characters }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');

/** 21 characters as AWS has them, access keys 20; 80 random bits and more. */
export const newId = (what: keyof typeof PREFIXES): string =>
  PREFIXES[what] + body(what.endsWith('ccessKey') ? BODY_CHARACTERS - 1 : BODY_CHARACTERS);

/** 40 characters, as AWS's secret access keys have: 240 random bits. */
export const newSecretAccessKey = (): string => randomBytes(30).toString('base64');
