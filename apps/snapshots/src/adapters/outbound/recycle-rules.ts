import type { RequestContext } from '@holdfast/contracts';
import type { CommandHandler, Sql } from '@holdfast/event-store';
import type { Cause } from '../../application/ports.ts';
import type { RuleStore } from '../../application/rule-ports.ts';
import type { ResourceType, Rule, RuleCommand, RuleEvent, RuleState } from '../../domain/recycle-rule.decider.ts';

export const ruleStreamOf = (ruleId: string) => `recycle-rule-${ruleId}`;

export class StoredRules implements RuleStore {
  constructor(
    private readonly handler: CommandHandler<RuleCommand, RuleEvent, RuleState>,
    private readonly sql: Sql,
  ) {}

  async handle(command: RuleCommand, { caller, causationId }: Cause): Promise<void> {
    await this.handler.handle(command.ruleId, command, { metadata: { caller, causationId }, time: command.at });
  }

  async load(ruleId: string): Promise<RuleState> {
    return (await this.handler.load(ruleId)).state;
  }

  async ofType(type: ResourceType | null, { accountId, region }: RequestContext) {
    const rows = await this.sql.query<{ rule: Rule; position: string }>(
      `SELECT rule, position::text AS position FROM recycle_rules
       WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR rule -> 'terms' ->> 'resourceType' = $3)
       ORDER BY recycle_rules.position`,
      [accountId, region, type],
    );
    return rows;
  }
}
