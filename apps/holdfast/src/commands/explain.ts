import { decisionLines } from '../explain/decision-text.ts';
import { type Explanation, explanationOf } from '../explain/explanation.ts';
import { StackSources } from '../explain/sources.ts';
import { readStackFile } from '../stack-file.ts';
import { formatEvent, type TimelineEvent } from '../timeline.ts';

export interface ExplainOptions {
  readonly home: string;
  /** A request's id, or the id of a volume, snapshot or instance. */
  readonly subject: string;
  readonly json: boolean;
  print(text: string): void;
}

const byWhom = ({ principal = 'a service', requestId }: TimelineEvent): string =>
  requestId === undefined ? `by ${principal}` : `by ${principal}, request ${requestId}`;

/** Events' own fields hold what is long, and wrapped keys; the type says enough. */
const short = (event: TimelineEvent): string => formatEvent({ ...event, data: {} });

/** The explanation as text, what decided first. */
export const explanationLines = (explanation: Explanation): string[] => {
  const { subject, summary, failures, decisions, keyChanges, events } = explanation;
  return [
    `${subject}: ${summary}`,
    ...failures.flatMap(({ what, cause, event }) => [
      '',
      `${event.time.toISOString()}  ${what}`,
      `  cause: ${cause}`,
      `  asked for ${byWhom(event)}`,
    ]),
    ...decisions.flatMap((record) => ['', ...decisionLines(record)]),
    ...(keyChanges.length === 0 ? [] : ['', 'the keys before that:']),
    ...keyChanges.map((event) => `  ${short(event)}  ${byWhom(event)}`),
    ...(events.length === 0 ? [] : ['', 'events:']),
    ...events.map((event) => `  ${short(event)}`),
  ];
};

/** @throws UserError when no stack runs, or nothing is known of the subject. */
export const explain = async ({ home, subject, json, print }: ExplainOptions): Promise<void> => {
  const sources = new StackSources(readStackFile(home));
  try {
    const explanation = await explanationOf(sources, subject);
    if (json) print(JSON.stringify(explanation));
    else for (const line of explanationLines(explanation)) print(line);
  } finally {
    await sources.close();
  }
};
