import { describe, expect, it } from 'vitest';
import { compilePolicy, loadPolicy } from './compile-policy.ts';
import { parsePolicy, readStoredPolicy } from './parse-policy.ts';
import { MAX_KEY_POLICY_BYTES, POLICY_SIZE_LIMITS, PolicyError, type PolicyKind, policySize } from './policy.ts';
import { principalsOf } from './principals-of.ts';
import { allow, bob, document, OWN, type StatementJson } from './testing/fixtures.ts';

const fault = (text: string, kind: PolicyKind): PolicyError => {
  try {
    parsePolicy(text, kind);
  } catch (error) {
    if (error instanceof PolicyError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
};

const SYNTAX = 'Syntax errors in policy.';
const anybody = { Principal: '*' };

describe('a policy', () => {
  it('has all elements of the language', () => {
    const text = JSON.stringify({
      Version: '2012-10-17',
      Id: 'p',
      Statement: [
        { Sid: 'a b', Effect: 'Deny', NotPrincipal: { AWS: [OWN, bob.arn], Service: 'ec2.amazonaws.com' }, NotAction: 'kms:*', NotResource: ['x'] },
        { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${OWN}:root` }, Action: ['kms:A'], Condition: { Bool: { 'a:b': [true, 'false'] }, NumericEquals: { 'a:c': 1 } } },
      ],
    }); // prettier-ignore
    expect(parsePolicy(text, 'key')).toEqual({
      kind: 'key',
      version: '2012-10-17',
      id: 'p',
      statements: [
        {
          sid: 'a b',
          effect: 'Deny',
          principals: {
            not: true,
            everyone: false,
            aws: [OWN, bob.arn],
            service: ['ec2.amazonaws.com'],
            federated: [],
          },
          actions: { not: true, patterns: ['kms:*'] },
          resources: { not: true, patterns: ['x'] },
          conditions: [],
        },
        {
          sid: null,
          effect: 'Allow',
          principals: { not: false, everyone: false, aws: [OWN], service: [], federated: [] },
          actions: { not: false, patterns: ['kms:A'] },
          resources: null,
          conditions: [
            { operator: 'Bool', key: 'a:b', values: ['true', 'false'] },
            { operator: 'NumericEquals', key: 'a:c', values: ['1'] },
          ],
        },
      ],
    });
    expect(principalsOf(parsePolicy(text, 'key'))).toEqual([OWN, bob.arn]);
  });
  it('may have one statement without a list, and is of 2008 without a version', () => {
    const { version, statements } = parsePolicy(JSON.stringify({ Statement: allow() }), 'identity');
    expect([version, statements.length]).toEqual(['2008-10-17', 1]);
  });
  it('names principals in every form', () => {
    const forms = [
      '*',
      OWN,
      bob.arn,
      bob.id,
      `arn:aws:sts::${OWN}:assumed-role/r/s`,
      `arn:aws:sts::${OWN}:federated-user/f`,
    ];
    for (const AWS of forms) parsePolicy(document(allow({ Principal: { AWS } })), 'key');
    const saml = `arn:aws:iam::${OWN}:saml-provider/p`;
    const trust = {
      Effect: 'Allow',
      Action: 'sts:AssumeRoleWithSAML',
      Principal: { Federated: [saml, 'www.amazon.com'] },
    };
    expect(parsePolicy(document(trust), 'trust').statements[0]?.principals?.federated).toHaveLength(2);
  });
});

type Case = [what: string, text: string, kind: PolicyKind, message: string, path: string];
const one = (what: string, statement: StatementJson, kind: PolicyKind, message: string, path: string): Case => [
  what,
  document(statement),
  kind,
  message,
  `Statement[0]${path}`,
];
const whole = (what: string, text: string, path = '', kind: PolicyKind = 'identity', message = SYNTAX): Case => [
  what,
  text,
  kind,
  message,
  path,
];
const on = (condition: unknown) => allow({ Condition: condition });
const trusting = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: OWN } };
const invalid = 'Policy contains a statement with one or more invalid principals.';
const VENDOR = 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.';

describe('refuses', () => {
  it.each<Case>([
    whole('no JSON', '{"Version"'),
    whole('nothing', ''),
    whole('null', 'null'),
    whole('a list', '[]'),
    whole('text', '"x"'),
    whole('an unknown element', '{"Statement":[],"Statements":[]}', 'Statements'),
    whole('no statement', '{"Version":"2012-10-17"}', 'Statement'),
    whole('an empty list of statements', document(), 'Statement'),
    whole('an Id that is no string', '{"Id":1,"Statement":[]}', 'Id'),
    whole('a version of its own', '{"Version":"2020-01-01","Statement":[]}', 'Version'),
    whole('a managed policy of 2008', JSON.stringify({ Statement: [allow()] }), 'Version', 'managed', 'Policy document must be version 2012-10-17 or greater.'),
    whole('an element given twice', `{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Effect":"Allow"}]}`),
    whole('an element given twice in other letters', `{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*","\\u0045ffect":"Allow"}]}`),
    whole('a condition given twice', `{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"true"},"Bool":{}}}]}`),
    whole('two statements of one Sid', document(allow({ Sid: 'a' }), allow({ Sid: 'a' })), 'Statement', 'identity', 'Statement IDs (SID) in a single policy must be unique.'),
    whole('a statement that is no object', '{"Statement":["x"]}', 'Statement[0]'),
    one('an unknown element of a statement', allow({ Actions: 'x' }), 'identity', SYNTAX, '.Actions'),
    one('no effect', { Action: '*', Resource: '*' }, 'identity', 'Missing required field Effect', ''),
    one('another effect', allow({ Effect: 'allow' }), 'identity', SYNTAX, '.Effect'),
    one('a Sid that is no string', allow({ Sid: 1 }), 'identity', SYNTAX, '.Sid'),
    one('a Sid with spaces', allow({ Sid: 'a b' }), 'managed', 'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*', '.Sid'),
    one('Action and NotAction', allow({ NotAction: '*' }), 'identity', SYNTAX, ''),
    one('no action', { Effect: 'Allow', Resource: '*' }, 'identity', 'Policy statement must contain actions.', ''),
    one('an empty list of actions', allow({ Action: [] }), 'identity', 'Policy statement must contain actions.', '.Action'),
    one('an action that is no string', allow({ NotAction: [1], Action: undefined }), 'identity', SYNTAX, '.NotAction'),
    one('an action without vendor', allow({ Action: 'Decrypt' }), 'identity', VENDOR, '.Action'),
    one('an action with two colons', allow({ Action: 'a:b:c' }), 'identity', 'Actions/Condition can contain only one colon.', '.Action'),
    one('a wildcard for a vendor', allow({ Action: 'k*:Decrypt' }), 'identity', 'Vendor k* is not valid', '.Action'),
    one('no resource', { Effect: 'Allow', Action: '*' }, 'session', 'Policy statement must contain resources.', ''),
    one('an empty list of resources', allow({ Resource: [] }), 'identity', 'Policy statement must contain resources.', '.Resource'),
    one('a resource that is no ARN', allow({ Resource: 'vol-1' }), 'identity', 'Resource vol-1 must be in ARN format or "*".', '.Resource'),
    one('a resource of another partition', allow({ Resource: 'arn:azure:s3:::b' }), 'identity', 'Partition "azure" is not valid for resource "arn:azure:s3:::b".', '.Resource'),
    one('a resource of no vendor', allow({ Resource: 'arn:aws:' }), 'boundary', 'Resource vendor must be fully qualified and cannot contain regexes.', '.Resource'),
    one('a principal in an identity policy', allow(anybody), 'identity', 'Policy document should not specify a principal.', '.Principal'),
    one('a key policy without principal', allow(), 'key', 'Policy contains a statement with no principal.', ''),
    one('a key policy with nobody', allow({ Principal: { AWS: [] } }), 'key', 'Policy contains a statement with no principal.', '.Principal'),
    one('Principal and NotPrincipal', allow({ ...anybody, NotPrincipal: '*' }), 'key', SYNTAX, ''),
    one('a principal that is a list', allow({ Principal: ['*'] }), 'key', SYNTAX, '.Principal'),
    one('a principal with a wildcard', allow({ Principal: { AWS: `arn:aws:iam::${OWN}:user/*` } }), 'key', invalid, '.Principal.AWS'),
    one('a group as principal', allow({ Principal: { AWS: `arn:aws:iam::${OWN}:group/g` } }), 'key', invalid, '.Principal.AWS'),
    one('a service of others', allow({ Principal: { Service: 'ec2.example.com' } }), 'key', invalid, '.Principal.Service'),
    one('a principal of another type', allow({ Principal: { Account: OWN } }), 'key', invalid, '.Principal.Account'),
    one('an identity provider in a key policy', allow({ Principal: { Federated: 'www.amazon.com' } }), 'key', invalid, '.Principal.Federated'),
    one('an invalid principal in a trust policy', { ...trusting, Principal: { AWS: 'bob' } }, 'trust', 'Invalid principal in policy: "AWS":"bob"', '.Principal.AWS'),
    one('a trust policy without principal', { Effect: 'Allow', Action: 'sts:AssumeRole' }, 'trust', 'Missing required field Principal', ''),
    one('a trust policy with a resource', { ...trusting, Resource: '*' }, 'trust', 'Has prohibited field Resource', '.Resource'),
    one('a trust policy for other actions', { ...trusting, Action: 'kms:Decrypt' }, 'trust', 'AssumeRole policy may only specify STS AssumeRole actions.', '.Action'),
    one('a condition that is no object', on([]), 'identity', SYNTAX, '.Condition'),
    one('a condition of null', on(null), 'identity', SYNTAX, '.Condition'),
    one('an unknown operator', on({ StringLooksLike: {} }), 'identity', SYNTAX, '.Condition.StringLooksLike'),
    one('an operator in other letters', on({ stringequals: { 'a:b': 'x' } }), 'identity', SYNTAX, '.Condition.stringequals'),
    one('an unknown prefix', on({ 'ForSomeValues:StringEquals': { 'a:b': 'x' } }), 'identity', SYNTAX, '.Condition.ForSomeValues:StringEquals'),
    one('Null with IfExists', on({ NullIfExists: { 'a:b': 'true' } }), 'identity', SYNTAX, '.Condition.NullIfExists'),
    one('keys that are no object', on({ Bool: 'x' }), 'identity', SYNTAX, '.Condition.Bool'),
    one('a key without vendor', on({ Bool: { secure: 'true' } }), 'identity', VENDOR, '.Condition.Bool.secure'),
    one('a value that is an object', on({ StringEquals: { 'a:b': {} } }), 'identity', SYNTAX, '.Condition.StringEquals.a:b'),
    one('a value that is null', on({ StringEquals: { 'a:b': ['x', null] } }), 'identity', SYNTAX, '.Condition.StringEquals.a:b'),
    one('a number that is none', on({ NumericLessThan: { 'a:b': 'ten' } }), 'identity', SYNTAX, '.Condition.NumericLessThan.a:b'),
    one('a date that is none', on({ DateLessThan: { 'a:b': '1.7.2026' } }), 'identity', 'The policy failed legacy parsing', '.Condition.DateLessThan.a:b'),
    one('an address that is none', on({ IpAddress: { 'a:b': '10.0.0.0/33' } }), 'identity', SYNTAX, '.Condition.IpAddress.a:b'),
    one('a bool that is none', on({ Bool: { 'a:b': 'yes' } }), 'identity', SYNTAX, '.Condition.Bool.a:b'),
    one('a Null that is none', on({ Null: { 'a:b': 'x' } }), 'identity', SYNTAX, '.Condition.Null.a:b'),
    one('bytes that are none', on({ BinaryEquals: { 'a:b': '!' } }), 'identity', SYNTAX, '.Condition.BinaryEquals.a:b'),
  ])('%s', (_, text, kind, message, path) => {
    const { code, message: said, path: where, detail } = fault(text, kind);
    expect({ code, said, where }).toEqual({ code: 'Malformed', said: message, where: path });
    expect(detail).not.toBe('');
  }); // prettier-ignore
});

describe('sizes', () => {
  const padded = (kind: PolicyKind, size: number): string => {
    const statement =
      kind === 'trust'
        ? { ...trusting, Sid: '' }
        : kind === 'key'
          ? allow({ ...anybody, Sid: '' })
          : allow({ Sid: '' });
    const bare = document(statement);
    return bare.replace('"Sid":""', `"Sid":"${'x'.repeat(size - bare.length)}"`);
  };
  it.each<[PolicyKind, number]>([
    ['managed', POLICY_SIZE_LIMITS.managed],
    ['boundary', POLICY_SIZE_LIMITS.managed],
    ['session', POLICY_SIZE_LIMITS.session],
    ['trust', POLICY_SIZE_LIMITS.trust],
    ['key', MAX_KEY_POLICY_BYTES],
  ])('of a %s policy: at most %i', (kind, limit) => {
    expect(parsePolicy(padded(kind, limit), kind).statements).toHaveLength(1);
    expect(fault(padded(kind, limit + 1), kind).code).toBe('TooLarge');
  });
  it('count no white space but in key policies', () => {
    const roomy = `${' '.repeat(40_000)}${document(allow())}`;
    expect(parsePolicy(roomy, 'managed').statements).toHaveLength(1);
    expect(policySize('{ "a" :\n\t"b c" }')).toBe(10);
    expect(fault(`${' '.repeat(40_000)}${document(allow(anybody))}`, 'key').code).toBe('TooLarge');
    expect(fault(`${' '.repeat(140_000)}{}`, 'identity').code).toBe('TooLarge');
  });
  it('are not asked of stored policies', () => {
    expect(readStoredPolicy(padded('session', 3_000), 'session').statements).toHaveLength(1);
  });
  it('survive nesting that no policy needs', () => {
    expect(fault(`${'['.repeat(60_000)}${']'.repeat(60_000)}`, 'identity').code).toBe('Malformed');
    expect(fault(`{"Statement":${'['.repeat(60_000)}${']'.repeat(60_000)}}`, 'identity').code).toBe('Malformed');
  });
});

describe('a stored policy', () => {
  it('is read with conditions that are refused when put', () => {
    const text = document(on({ Odd: { key: 'x' }, NumericEquals: { 'a:b': 'one' } }));
    expect(readStoredPolicy(text, 'identity').statements[0]?.conditions).toHaveLength(2);
    expect(loadPolicy(text, 'identity', 'p').name).toBe('p');
  });
  it('is refused when it is none', () => {
    expect(() => loadPolicy('{}', 'key')).toThrow(PolicyError);
  });
  it('of 2008 has no variables', () => {
    const text = JSON.stringify({ Statement: allow({ Resource: 'arn:aws:s3:::${aws:username}' }) });
    expect(compilePolicy(parsePolicy(text, 'identity')).statements[0]?.resources?.[0]?.fixed?.kind).toBe('exact');
  });
});
