import type { DomainEvent, InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import { evolveRule, type Rule, type RuleEvent } from '../domain/recycle-rule.decider.ts';

const project = async ({ data: event, globalPosition }: StoredEvent<RuleEvent>, sql: Sql): Promise<void> => {
  const { ruleId } = event;
  const [row] = await sql.query<{ rule: Rule }>('SELECT rule FROM recycle_rules WHERE rule_id = $1', [ruleId]);
  const rule = evolveRule(row?.rule ?? null, event);
  if (rule === null) {
    await sql.query('DELETE FROM recycle_rules WHERE rule_id = $1', [ruleId]);
    return;
  }
  await sql.query(
    `INSERT INTO recycle_rules (rule_id, account_id, region, position, rule) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (rule_id) DO UPDATE SET rule = EXCLUDED.rule`,
    [ruleId, rule.accountId, rule.region, globalPosition, JSON.stringify(rule)],
  );
};

/** Retention rules as they are in force. */
export const recycleRules: InlineProjection = {
  name: 'recycle-rules',
  project: async (event: StoredEvent<DomainEvent>, sql: Sql) => {
    if (event.streamId.startsWith('recycle-rule-')) await project(event as StoredEvent<RuleEvent>, sql);
  },
};
