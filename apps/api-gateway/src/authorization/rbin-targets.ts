import type { AccessTarget, Input, TargetCaller } from './access-target.ts';

export interface RuleFacts {
  rule(ruleId: string): Promise<{ resourceType: string; tags: Record<string, string> } | null>;
}

interface Tag {
  Key?: string;
  Value?: string;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/**
 * The permission that a call of the Recycle Bin needs: on the rule, or on all rules of the Region where it makes or lists them.
 * @see Service authorization reference, Amazon Recycle Bin
 */
export const rbinTargets = async (
  operation: string,
  input: Input,
  { accountId, region }: TargetCaller,
  facts: RuleFacts,
): Promise<AccessTarget[]> => {
  const arn = text(input['ResourceArn']);
  const ruleId = text(input['Identifier']) ?? (arn === undefined ? undefined : (arn.split('/').at(-1) ?? ''));
  const rule = ruleId === undefined ? null : await facts.rule(ruleId);
  const given = (input['Tags'] ?? []) as Tag[];
  const removed = (input['TagKeys'] ?? []) as string[];
  const context = {
    ...Object.fromEntries(given.map(({ Key = '', Value = '' }) => [`aws:RequestTag/${Key}`, Value])),
    'aws:TagKeys': [...given.map(({ Key = '' }) => Key), ...removed],
    ...Object.fromEntries(Object.entries(rule?.tags ?? {}).map(([key, value]) => [`aws:ResourceTag/${key}`, value])),
    'rbin:Request/ResourceType': rule === null ? text(input['ResourceType']) : undefined,
    'rbin:Attribute/ResourceType': rule?.resourceType,
  };
  const resource = arn ?? `arn:aws:rbin:${region}:${accountId}:rule/${ruleId ?? '*'}`;
  return [{ action: `rbin:${operation}`, resource, resourceAccount: accountId, context }];
};
