import type { CompiledPrincipals, CompiledStatement } from './compile-policy.ts';
import type { StatementFailure } from './decision.ts';
import { conditionFault } from './evaluate-condition.ts';
import { type Glob, matchGlob } from './glob.ts';
import type { Effect, PolicyKind } from './policy.ts';
import { furtherReach, identitiesOf, namesOf, type Principal, type Reach } from './principal.ts';
import type { RequestValues } from './request.ts';
import { expandTemplate, type Template } from './template.ts';

export type StatementMatch =
  { readonly reach: Reach | null; readonly failed: null } | { readonly reach: null; readonly failed: StatementFailure };

const failedAt = (element: Exclude<StatementFailure['element'], 'Condition'>): StatementMatch => ({
  reach: null,
  failed: { element },
});

const NOT_THE_ACTION = { Action: failedAt('Action'), NotAction: failedAt('NotAction') };
const NOT_THE_RESOURCE = { Resource: failedAt('Resource'), NotResource: failedAt('NotResource') };
const NOT_THE_PRINCIPAL = { Principal: failedAt('Principal'), NotPrincipal: failedAt('NotPrincipal') };
const UNREACHED: StatementMatch = { reach: null, failed: null };

const matchesAny = (globs: readonly Glob[], text: string): boolean => {
  for (const glob of globs) if (matchGlob(glob, text)) return true;
  return false;
};

/** Whether a pattern matches; null when none does but a variable of one has no value. */
const matchResource = (templates: readonly Template[], resource: string, values: RequestValues): boolean | null => {
  let unresolved = false;
  for (const template of templates) {
    const glob = expandTemplate(template, values.single);
    if (glob === null) unresolved = true;
    else if (matchGlob(glob, resource)) return true;
  }
  return unresolved ? null : false;
};

const coversResource = (statement: CompiledStatement, kind: PolicyKind, values: RequestValues): boolean => {
  const { resources, resourcesNot, effect } = statement;
  // The resource of a trust policy is its role; a key policy's statement without Resource applies to nothing.
  if (resources === null) return kind === 'trust';
  const matched = matchResource(resources, values.request.resource, values);
  if (!resourcesNot) return matched === true;
  // What NotResource excludes by an unresolved variable is unknown: it must not help to allow.
  return matched === null ? effect === 'Deny' : !matched;
};

const reachByName = ({ aws, services }: CompiledPrincipals, principal: Principal): Reach | null => {
  if (principal.kind === 'service') return services.has(principal.arn) ? 'direct' : null;
  let found: Reach | null = null;
  for (const [name, reach] of namesOf(principal)) if (aws.has(name)) found = furtherReach(found, reach);
  return found;
};

/**
 * NotPrincipal spares whom it lists. A Deny spares a principal only when all of its identities are listed; an Allow never
 * reaches one of which any is.
 */
const reachUnlisted = (principals: CompiledPrincipals, principal: Principal, effect: Effect): Reach | null => {
  const { everyone, aws, services } = principals;
  if (everyone) return null;
  if (effect === 'Allow') return reachByName(principals, principal) === null ? 'direct' : null;
  const listed = principal.kind === 'service' ? services : aws;
  return identitiesOf(principal).every((names) => names.some((name) => listed.has(name))) ? null : 'direct';
};

const reachOf = (principals: CompiledPrincipals, principal: Principal, effect: Effect): Reach | null => {
  if (principals.not) return reachUnlisted(principals, principal, effect);
  return principals.everyone ? 'direct' : reachByName(principals, principal);
};

const conditionFailure = (statement: CompiledStatement, values: RequestValues): StatementFailure | null => {
  for (const condition of statement.conditions) {
    const fault = conditionFault(condition, values, statement.effect);
    if (fault === null) continue;
    const { operator, key, values: wanted } = condition.clause;
    return { element: 'Condition', operator, key, wanted, given: values.of(condition.key) ?? [], fault };
  }
  return null;
};

/**
 * Whether a statement applies, whatever its effect.
 * @param action of the request, in lower case.
 */
export const matchStatement = (
  statement: CompiledStatement,
  kind: PolicyKind,
  action: string,
  values: RequestValues,
): StatementMatch => {
  const { actions, actionsNot, resourcesNot, principals, effect } = statement;
  if (matchesAny(actions, action) === actionsNot) {
    return NOT_THE_ACTION[actionsNot ? 'NotAction' : 'Action'];
  }
  if (!coversResource(statement, kind, values)) return NOT_THE_RESOURCE[resourcesNot ? 'NotResource' : 'Resource'];
  const reach = principals === null ? null : reachOf(principals, values.request.principal, effect);
  if (principals !== null && reach === null) return NOT_THE_PRINCIPAL[principals.not ? 'NotPrincipal' : 'Principal'];
  const failed = conditionFailure(statement, values);
  if (failed !== null) return { reach: null, failed };
  return reach === null ? UNREACHED : { reach, failed: null };
};
