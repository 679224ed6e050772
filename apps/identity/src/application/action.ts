import type { RequestContext } from '@holdfast/contracts';
import type { Iam } from './ports.ts';

/** One operation. Input and output are AWS's shapes; the gateway has checked required members, lengths and patterns. */
export type Action<Input = never, Output = unknown> = (
  iam: Iam,
  input: Input,
  context: RequestContext,
) => Promise<Output>;

/** The operations of one API, by AWS's names, typed by its model. */
export type ActionsOf<Operations, Names extends keyof Operations> = {
  readonly [Name in Names]: Operations[Name] extends { in: infer Input; out: infer Output }
    ? Action<Input, Output>
    : never;
};
