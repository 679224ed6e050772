import { AwsError } from '@holdfast/contracts';
import { base64Length, lowerFirst } from './scalars.ts';
import { isList, isMap, type Limits, type MemberRow, type ServiceModel } from './service-model.ts';
import { structureName, type TypeRow } from './service-model.ts';
import { shapeRow } from './services.ts';

/** Violations in one answer; a list of a million bad elements must not become a gigabyte of text. */
const MAX_VIOLATIONS = 100;

const compiled = new Map<string, RegExp>();
/**
 * A Java pattern that must match the whole value. Differences from ECMAScript in the models: `\u10000` and the like, and a
 * repetition that is repeated.
 */
const patternOf = (source: string): RegExp => {
  let pattern = compiled.get(source);
  if (pattern === undefined) {
    const translated = source
      .replaceAll(/\\u(10[0-9A-Fa-f]{4}|10000)/g, '\\u{$1}')
      .replaceAll(/(\[[^\]]*\]\{\d+\})(?=\{)/g, '(?:$1)');
    pattern = new RegExp(`^(?:${translated})$`, 'u');
    compiled.set(source, pattern);
  }
  return pattern;
};

/** What each kind of value's `min` and `max` count. */
const sizeOf = (type: TypeRow, value: unknown): { size: number; isLength: boolean } | undefined => {
  if (Array.isArray(value)) return { size: value.length, isLength: true };
  if (typeof value === 'number') return { size: value, isLength: false };
  if (typeof value === 'string') return { size: type === 'x' ? base64Length(value) : value.length, isLength: true };
  if (isMap(type)) return { size: Object.keys(value as object).length, isLength: true };
  return undefined;
};

const limitTexts = (type: TypeRow, limits: Limits, value: unknown): string[] => {
  const measured = sizeOf(type, value);
  const texts: string[] = [];
  if (measured !== undefined) {
    const what = measured.isLength ? 'length' : 'value';
    const { min, max } = limits;
    if (max !== undefined && measured.size > max)
      texts.push(`Member must have ${what} less than or equal to ${String(max)}`);
    if (min !== undefined && measured.size < min)
      texts.push(`Member must have ${what} greater than or equal to ${String(min)}`);
  }
  // The length comes first: a pattern is never run on a text that is too long for it.
  if (texts.length === 0 && limits.p !== undefined && typeof value === 'string' && !patternOf(limits.p).test(value)) {
    texts.push(`Member must satisfy regular expression pattern: ${limits.p}`);
  }
  return texts;
};

class Violations {
  readonly texts: string[] = [];
  constructor(private readonly model: ServiceModel) {}

  structure(shape: string, value: Readonly<Record<string, unknown>>, path: string): void {
    for (const member of shapeRow(this.model, shape).m) {
      if (this.texts.length >= MAX_VIOLATIONS) return;
      const at = path + lowerFirst(member.n);
      const held = value[member.n];
      if (held !== undefined) this.member(member, held, at);
      else if (member.r === 1 && member.t !== 'X') this.add(null, at, ['Member must not be null']);
    }
  }

  private member(member: MemberRow, value: unknown, path: string): void {
    const constraints = [...this.enumText(member.e, value), ...limitTexts(member.t, member, value)];
    this.add(this.quotable(member, value), path, constraints);
    this.inside(member.t, value, path);
  }

  private inside(type: TypeRow, value: unknown, path: string): void {
    const shape = structureName(type);
    if (shape !== undefined) this.structure(shape, value as Record<string, unknown>, `${path}.`);
    else if (isList(type)) this.elements(type, value as readonly unknown[], path);
    else if (isMap(type)) this.entries(type, value as Readonly<Record<string, unknown>>, path);
  }

  /** Elements that are structures are named one by one; for scalars AWS quotes the list as a whole. */
  private elements(type: TypeRow & { l: TypeRow }, values: readonly unknown[], path: string): void {
    if (!isList(type)) return;
    if (typeof type.l !== 'string' || type.l.startsWith('@')) {
      values.forEach((value, i) => {
        if (this.texts.length < MAX_VIOLATIONS) this.inside(type.l, value, `${path}.${String(i + 1)}.member`);
      });
      return;
    }
    const bad = values.find((v) => this.elementTexts(type, v).length > 0);
    if (bad === undefined) return;
    this.add(`[${values.join(', ')}]`, path, [`Member must satisfy constraint: [${this.allTexts(type)}]`]);
  }

  private elementTexts(type: Limits & { l: TypeRow; e?: string }, value: unknown): string[] {
    return [...this.enumText(type.e, value), ...limitTexts(type.l, type, value)];
  }

  /** AWS lists every constraint of the element, not only those that failed. */
  private allTexts(type: Limits & { e?: string }): string {
    return [
      ...(type.e !== undefined ? [this.enumSet(type.e)] : []),
      ...(type.max !== undefined ? [`Member must have length less than or equal to ${String(type.max)}`] : []),
      ...(type.min !== undefined ? [`Member must have length greater than or equal to ${String(type.min)}`] : []),
      ...(type.p !== undefined ? [`Member must satisfy regular expression pattern: ${type.p}`] : []),
    ].join(', ');
  }

  private entries(type: TypeRow, map: Readonly<Record<string, unknown>>, path: string): void {
    if (!isMap(type)) return;
    const { kc = {}, vc = {} } = type;
    const shown = `{${Object.entries(map)
      .map(([k, v]) => `${k}=${String(v)}`)
      .join(', ')}}`;
    if (Object.keys(map).some((key) => limitTexts('s', kc, key).length > 0)) {
      this.add(shown, path, [`Map keys must satisfy constraint: [${this.allTexts(kc)}]`]);
    }
    if (Object.values(map).some((value) => limitTexts(type.v, vc, value).length > 0)) {
      this.add(shown, path, [`Map value must satisfy constraint: [${this.allTexts(vc)}]`]);
    }
  }

  private enumSet(name: string): string {
    return `Member must satisfy enum value set: [${(this.model.enums[name] ?? []).join(', ')}]`;
  }

  private enumText(name: string | undefined, value: unknown): string[] {
    if (name === undefined || (this.model.enums[name] ?? []).some((allowed) => allowed === value)) return [];
    return [this.enumSet(name)];
  }

  /** A value as AWS quotes it; undefined where only the field is named: blobs, secrets, and what has no text of its own. */
  private quotable(member: MemberRow, value: unknown): string | undefined {
    if (member.t === 'x' || member.sen === 1 || isMap(member.t) || structureName(member.t) !== undefined)
      return undefined;
    if (!Array.isArray(value)) return String(value);
    return value.some((element) => typeof element === 'object') ? undefined : `[${value.map(String).join(', ')}]`;
  }

  private add(value: string | null | undefined, path: string, constraints: readonly string[]): void {
    const quoted = value === null ? 'Value null' : value === undefined ? 'Value' : `Value '${value}'`;
    for (const text of constraints) this.texts.push(`${quoted} at '${path}' failed to satisfy constraint: ${text}`);
  }
}

/**
 * Checks an input against required members, enums and limits, and reports all violations in one error, as AWS's JSON
 * services and STS and IAM do.
 * @throws AwsError with `code`
 */
export const validate = (
  model: ServiceModel,
  shape: string,
  input: Readonly<Record<string, unknown>>,
  code: 'ValidationException' | 'ValidationError',
): void => {
  const violations = new Violations(model);
  violations.structure(shape, input, '');
  const { texts } = violations;
  if (texts.length === 0) return;
  const count = `${String(texts.length)} validation error${texts.length === 1 ? '' : 's'} detected`;
  throw new AwsError({ code, message: `${count}: ${texts.join('; ')}` });
};
