import type { Decision, StatementTrail } from './decision.ts';
import { RequestValues } from './request.ts';

interface Items<Item> {
  readonly items: readonly Item[];
}

/** What sts:DecodeAuthorizationMessage shows of an EC2 refusal. */
export interface AuthorizationMessage {
  readonly allowed: boolean;
  readonly explicitDeny: boolean;
  readonly matchedStatements: Items<{
    readonly statementId: string;
    readonly effect: string;
    readonly sourcePolicyId: string;
  }>;
  readonly failures: Items<never>;
  readonly context: {
    readonly principal: { readonly id: string; readonly name?: string; readonly arn: string };
    readonly action: string;
    readonly resource: string;
    readonly conditions: Items<{ readonly key: string; readonly values: Items<{ readonly value: string }> }>;
  };
}

const isMatched = (entry: Decision['trail'][number]): entry is StatementTrail =>
  entry.source === 'statement' && entry.matched;

/** The decision in the shape that DecodeAuthorizationMessage returns as JSON. Condition keys are in lower case. */
export const authorizationMessage = (decision: Decision): AuthorizationMessage => {
  const { allowed, explicitDeny, trail, request, resourceAccount } = decision;
  const { principal, action, resource } = request;
  const statements = trail.filter(isMatched).map(({ sid, effect, policyName, side }) => ({
    statementId: sid ?? '',
    effect: effect.toUpperCase(),
    sourcePolicyId: policyName ?? side,
  }));
  const conditions = new RequestValues(request, resourceAccount).all().map(([key, values]) => ({
    key,
    values: { items: values.map((value) => ({ value })) },
  }));
  const name = principal.kind === 'user' ? { name: principal.name } : {};
  return {
    allowed,
    explicitDeny,
    matchedStatements: { items: statements },
    failures: { items: [] },
    context: {
      principal: { id: principal.id, ...name, arn: principal.arn },
      action,
      resource,
      conditions: { items: conditions },
    },
  };
};

/**
 * As JSON of at most `maxBytes`: what does not fit is left out, statements and conditions last to first.
 * @throws RangeError when not even principal, action and resource fit.
 */
export const authorizationMessageText = (decision: Decision, maxBytes: number): string => {
  const { matchedStatements, context, ...rest } = authorizationMessage(decision);
  const statements = [...matchedStatements.items];
  const conditions = [...context.conditions.items];
  for (;;) {
    const text = JSON.stringify({
      ...rest,
      matchedStatements: { items: statements },
      context: { ...context, conditions: { items: conditions } },
    });
    if (Buffer.byteLength(text) <= maxBytes) return text;
    if (conditions.pop() === undefined && statements.pop() === undefined) {
      throw new RangeError(`an authorization message does not fit ${String(maxBytes)} bytes`);
    }
  }
};
