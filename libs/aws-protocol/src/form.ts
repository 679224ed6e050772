import { isUtf8 } from 'node:buffer';
import { AwsError } from '@holdfast/contracts';
import { encodedPairs } from './http-message.ts';

/** Parameters in one request; AWS's own operations need at most a few thousand. */
const MAX_PARAMETERS = 20_000;
/** Parts of one dotted key; the deepest modelled key has nine. */
const MAX_DEPTH = 12;

/** `A.1.B=v` is v at A, 1, B. Maps, so that no key can meet a prototype. */
export interface FormNode {
  value?: string;
  children?: Map<string, FormNode>;
}

const malformed = (message: string) => new AwsError({ code: 'MalformedQueryString', message });

/** What XML 1.0 cannot carry could not be given back in an answer. (Decoded UTF-8 has no lone surrogates.) */
const NOT_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;
const ENCODED = /[%+]/;

const decode = (text: string): string => {
  let decoded = text;
  if (ENCODED.test(text)) {
    try {
      decoded = decodeURIComponent(text.replaceAll('+', ' '));
    } catch {
      throw malformed('The query string contains a malformed escape.');
    }
  }
  if (NOT_XML.test(decoded))
    throw new AwsError({ code: 'InvalidCharacter', message: 'A specified character is invalid.' });
  return decoded;
};

const SIGNATURE_PARAMETER = /^x-amz-/i;

const insert = (root: FormNode, key: string, value: string): void => {
  const parts = key.split('.', MAX_DEPTH + 1);
  if (parts.length > MAX_DEPTH) throw malformed('The query string nests too deeply.');
  let node = root;
  for (const part of parts) {
    node.children ??= new Map();
    let next = node.children.get(part);
    if (next === undefined) {
      next = {};
      node.children.set(part, next);
    }
    node = next;
  }
  if (node.value !== undefined) throw malformed(`The parameter ${key} may only be specified once.`);
  node.value = value;
};

/** Adds a form's parameters to `root`, leaving out those that belong to a presigned URL's signature. */
const addForm = (root: FormNode, text: string, count: number): number => {
  let parameters = count;
  for (const [rawKey, rawValue] of encodedPairs(text)) {
    parameters += 1;
    if (parameters > MAX_PARAMETERS) throw malformed('The query string has too many parameters.');
    const [key, value] = [decode(rawKey), decode(rawValue)];
    if (SIGNATURE_PARAMETER.test(key)) continue;
    insert(root, key, value);
  }
  return parameters;
};

/**
 * The parameters of a query string and a form body together: a presigned POST has them in its URL.
 * @throws AwsError MalformedQueryString | InvalidCharacter
 */
export const parseForm = (query: string, body: Buffer): FormNode => {
  const root: FormNode = {};
  if (!isUtf8(body)) throw malformed('The request body is not valid UTF-8.');
  addForm(root, body.toString(), addForm(root, query, 0));
  return root;
};
