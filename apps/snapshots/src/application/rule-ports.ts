import type { RequestContext } from '@holdfast/contracts';
import type { ResourceType, Rule, RuleCommand, RuleState } from '../domain/recycle-rule.decider.ts';
import type { Cause } from './ports.ts';

/** Retention rules of the Recycle Bin: their streams, and those in force. */
export interface RuleStore {
  /** @throws DomainError RuleErrorCode */
  handle(command: RuleCommand, cause: Cause): Promise<void>;
  load(ruleId: string): Promise<RuleState>;
  /** The caller's rules in the caller's Region, in order of their creation; `type` null: for whatever. At most 250. */
  ofType(type: ResourceType | null, context: RequestContext): Promise<{ rule: Rule; position: string }[]>;
}
