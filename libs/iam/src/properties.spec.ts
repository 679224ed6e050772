import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadPolicy } from './compile-policy.ts';
import { evaluate } from './evaluate.ts';
import { parsePolicy } from './parse-policy.ts';
import { PolicyError, type PolicyKind } from './policy.ts';
import { type PolicyChange, smallestChange } from './smallest-change.ts';
import {
  compiled,
  type Documents,
  documents,
  grant,
  identityStatement,
  resourceStatement,
} from './testing/arbitraries.ts';
import { document, question, type StatementJson } from './testing/fixtures.ts';

const decide = (world: Documents) => evaluate(compiled(world));
const RUNS = { numRuns: 1_000 };

/** Every list of statements of a world, and how to put another in its place. */
const lists = (
  world: Documents,
): { list: StatementJson[]; replace: (list: StatementJson[]) => Documents; named: boolean }[] => [
  ...world.identity.map((list, index) => ({
    list,
    named: false,
    replace: (next: StatementJson[]) => ({ ...world, identity: world.identity.with(index, next) }),
  })),
  ...(world.session ?? []).map((list, index) => ({
    list,
    named: false,
    replace: (next: StatementJson[]) => ({ ...world, session: (world.session ?? []).with(index, next) }),
  })),
  ...(world.boundary
    ? [{ list: world.boundary, named: false, replace: (next: StatementJson[]) => ({ ...world, boundary: next }) }]
    : []),
  ...(world.resource
    ? [{ list: world.resource, named: true, replace: (next: StatementJson[]) => ({ ...world, resource: next }) }]
    : []),
];

describe('whatever the policies', () => {
  it('the worlds hold every kind of answer', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(documents, (world) => {
        const { reason } = decide(world);
        seen.add(JSON.stringify(reason));
      }),
      { numRuns: 4_000, seed: 7 },
    );
    expect(seen.size).toBeGreaterThanOrEqual(11);
  });

  it('adding a Deny never allows', () => {
    fc.assert(
      fc.property(documents, identityStatement, resourceStatement, (world, statement, named) => {
        if (decide(world).allowed) return;
        for (const { list, replace, named: isNamed } of lists(world)) {
          const denying = { ...(isNamed ? named : statement), Effect: 'Deny' };
          expect(decide(replace([...list, denying])).allowed).toBe(false);
        }
        expect(decide({ ...world, identity: [...world.identity, [{ ...statement, Effect: 'Deny' }]] }).allowed).toBe(
          false,
        );
      }),
      RUNS,
    );
  });

  it('removing an Allow never allows', () => {
    fc.assert(
      fc.property(documents, (world) => {
        if (decide(world).allowed) return;
        for (const { list, replace, named } of lists(world)) {
          list.forEach(({ Effect }, index) => {
            const rest = list.toSpliced(index, 1);
            if (Effect !== 'Allow' || (rest.length === 0 && !named)) return;
            const resource = rest.length === 0 ? { ...world, resource: null } : replace(rest);
            expect(decide(resource).allowed).toBe(false);
          });
        }
        world.identity.forEach((policy, index) => {
          if (!policy.every(({ Effect }) => Effect === 'Allow')) return;
          expect(decide({ ...world, identity: world.identity.toSpliced(index, 1) }).allowed).toBe(false);
        });
      }),
      RUNS,
    );
  });

  it('a boundary or session policies never allow more', () => {
    fc.assert(
      fc.property(documents, (world) => {
        const free = decide({ ...world, boundary: null, session: null });
        if (!free.allowed) expect(decide(world).allowed).toBe(false);
      }),
      RUNS,
    );
  });

  it('the order of policies, statements and grants does not matter', () => {
    fc.assert(
      fc.property(documents, (world) => {
        const turned: Documents = {
          ...world,
          identity: world.identity.map((list) => list.toReversed()).toReversed(),
          session: world.session?.map((list) => list.toReversed()).toReversed() ?? null,
          boundary: world.boundary?.toReversed() ?? null,
          resource: world.resource?.toReversed() ?? null,
          grants: world.grants.toReversed(),
        };
        expect(decide(turned).reason).toEqual(decide(world).reason);
      }),
      RUNS,
    );
  });

  it('a grant never overrides an explicit deny, and never takes away', () => {
    fc.assert(
      fc.property(documents, fc.array(grant, { minLength: 1, maxLength: 4 }), (world, grants) => {
        const without = decide({ ...world, grants: [] });
        const given = decide({ ...world, grants });
        if (without.explicitDeny) expect(given.reason).toEqual(without.reason);
        if (without.allowed) expect(given.allowed).toBe(true);
      }),
      RUNS,
    );
  });

  it('the trail has each statement and grant once', () => {
    fc.assert(
      fc.property(documents, (world) => {
        const { trail } = decide(world);
        const all = lists(world).reduce((sum, { list }) => sum + list.length, world.grants.length);
        expect(trail.filter(({ source }) => source !== 'rule')).toHaveLength(all);
      }),
      RUNS,
    );
  });
});

const NEW_POLICY = -1;

/** Makes a world in which a change has been made. */
const change = (world: Documents, step: PolicyChange): Documents => {
  const edit = (list: readonly StatementJson[] | null | undefined): StatementJson[] => {
    if (step.kind === 'add-statement') return [...(list ?? []), { ...step.statement }];
    return (list ?? []).map((statement, index) => (index === step.statementIndex ? harmless(statement) : statement));
  };
  const index = step.kind === 'add-statement' ? NEW_POLICY : step.policyIndex;
  const among = (policies: readonly StatementJson[][]) =>
    index === NEW_POLICY ? [...policies, edit([])] : policies.with(index, edit(policies[index]));
  switch (step.side) {
    case 'identity':
      return { ...world, identity: among(world.identity) };
    case 'session':
      return { ...world, session: among(world.session ?? []) };
    case 'boundary':
      return { ...world, boundary: edit(world.boundary) };
    case 'resource':
      return { ...world, resource: edit(world.resource) };
  }
};

/** Keeps the positions of the others. */
const harmless = ({ Principal, NotPrincipal }: StatementJson): StatementJson => ({
  Effect: 'Deny',
  Action: 'none:None',
  Resource: '*',
  ...(Principal === undefined && NotPrincipal === undefined ? {} : { Principal: '*' }),
});

describe('the smallest change', () => {
  it('allows the call once made, and each step of it is needed', () => {
    let made = 0;
    fc.assert(
      fc.property(documents, (world) => {
        const decision = decide(world);
        const { changes, sentence } = smallestChange(decision);
        expect(sentence).not.toBe('');
        if (decision.allowed || changes.length === 0) return;
        made += 1;
        expect(decide(changes.reduce(change, world)).allowed).toBe(true);
        changes.forEach((_, left) => {
          expect(decide(changes.toSpliced(left, 1).reduce(change, world)).allowed).toBe(false);
        });
      }),
      RUNS,
    );
    expect(made).toBeGreaterThan(100);
  });
});

const KINDS: PolicyKind[] = ['identity', 'managed', 'boundary', 'session', 'key', 'trust', 'resource'];

/** Reads it both ways; evaluates it, if it is a policy. */
const survives = (text: string): void => {
  for (const kind of KINDS) {
    for (const read of [parsePolicy, loadPolicy]) {
      try {
        read(text, kind);
      } catch (error) {
        expect(error).toBeInstanceOf(PolicyError);
      }
    }
  }
  for (const kind of ['identity', 'key'] as const) {
    let policy;
    try {
      policy = loadPolicy(text, kind);
    } catch {
      continue;
    }
    const asked = kind === 'key' ? { resourcePolicy: policy as never } : { identityPolicies: [policy as never] };
    expect(
      evaluate(question({ ...asked, request: kind === 'key' ? {} : { action: 'ec2:X', resource: 'arn:aws:ec2:::x' } }))
        .allowed,
    ).toBe(false);
  }
};

/** No text that could mean everything. */
const tame = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '', '${', '${a}', 'kms:', ':', 'Allow')).filter((text) => !text.includes('*')); // prettier-ignore
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(tame, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(tame, tie('json'), { maxKeys: 3 }),
  ),
}));

/** Replaces the n-th value of a document, counted depth first. */
const replaceValue = (value: unknown, position: { left: number }, by: unknown): unknown => {
  position.left -= 1;
  if (position.left === 0) return by;
  if (Array.isArray(value)) return value.map((item) => replaceValue(item, position, by));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaceValue(item, position, by)]));
};

describe('garbage', () => {
  const harmful = document(
    { Effect: 'Allow', Action: ['s3:Get', 's3:Put'], Resource: 'arn:aws:s3:::b', Principal: { AWS: '111122223333' }, Condition: { Bool: { 'a:b': 'true' } } },
    { Sid: 'x', Effect: 'Deny', Action: 's3:X', Resource: 'arn:aws:s3:::b', Principal: '111' },
  ); // prettier-ignore
  const withoutPrincipals = harmful.replace(/,"Principal":(?:\{[^}]*\}|"111")/g, '');

  it('is refused with the one error, or allows nothing: any text and any JSON', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          json.map((value) => JSON.stringify(value)),
        ),
        survives,
      ),
      { numRuns: 1_000 },
    );
  });
  it('in the place of any value of a policy', () => {
    expect(loadPolicy(withoutPrincipals, 'identity').statements).toHaveLength(2);
    fc.assert(
      fc.property(
        fc.constantFrom(harmful, withoutPrincipals),
        fc.integer({ min: 1, max: 24 }),
        json,
        (text, at, by) => {
          survives(JSON.stringify(replaceValue(JSON.parse(text), { left: at }, by)));
        },
      ),
      { numRuns: 1_500 },
    );
  });
  it('of a policy that lost or changed a character', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(harmful, withoutPrincipals),
        fc.nat(),
        fc.constantFrom('', '"', '{', ',', 'x', '\\'),
        (text, at, by) => {
          const index = at % text.length;
          survives(text.slice(0, index) + by + text.slice(index + 1));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
