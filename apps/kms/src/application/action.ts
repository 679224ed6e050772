import type { RequestContext } from '@holdfast/contracts';
import { callerOf } from '@holdfast/contracts';
import type { AppendOptions } from '@holdfast/event-store';
import type { z } from 'zod';
import type { Kms } from './ports.ts';
import { parseInput } from './shapes.ts';

/** One operation of the API: AWS's shapes in and out, DomainErrors for refusals. */
export type Action = (kms: Kms, input: unknown, context: RequestContext) => Promise<unknown>;

export const action =
  <Shape extends z.ZodType>(
    shape: Shape,
    run: (kms: Kms, input: z.output<Shape>, context: RequestContext) => Promise<unknown>,
  ): Action =>
  async (kms, input, context) =>
    run(kms, parseInput(shape, input), context);

/** How the events of a request are appended. */
export const appendOptions = (kms: Kms, context: RequestContext): AppendOptions => ({
  metadata: { caller: callerOf(context) },
  time: kms.clock.instant(),
});
