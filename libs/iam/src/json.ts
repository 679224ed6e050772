/** A member that occurs twice in one object: `JSON.parse` would keep the last and say nothing. */
export class DuplicateMember extends Error {}

/** The position after the string that begins with the quote at `start`. */
const endOfString = (text: string, start: number): number => {
  let at = start + 1;
  while (text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1;
  return at + 1;
};

/** @param text valid JSON. */
const refuseDuplicates = (text: string): void => {
  // One set of names per open object, null per open array.
  const open: (Set<string> | null)[] = [];
  let nameExpected = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charAt(at);
    if (unit === '{') open.push(new Set());
    else if (unit === '[') open.push(null);
    else if (unit === '}' || unit === ']') open.pop();
    if (unit === '{' || unit === ',') nameExpected = open.at(-1) instanceof Set;
    if (unit !== '"') continue;
    const end = endOfString(text, at);
    const names = open.at(-1);
    if (nameExpected && names instanceof Set) {
      const name = JSON.parse(text.slice(at, end)) as string;
      if (names.has(name)) throw new DuplicateMember(name);
      names.add(name);
    }
    nameExpected = false;
    at = end - 1;
  }
};

/** @throws SyntaxError when it is no JSON; DuplicateMember */
export const parseJson = (text: string): unknown => {
  const value: unknown = JSON.parse(text);
  refuseDuplicates(text);
  return value;
};
