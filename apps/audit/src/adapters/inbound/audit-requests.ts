import type { DecisionRecord } from '@holdfast/iam';
import type { RequestHandlers } from '@holdfast/messaging';
import { AwsError } from '@holdfast/contracts';
import { z } from 'zod';
import type { Decisions } from '../../application/ports.ts';

const MAX_RECORDS = 1_000;

/** What it is kept and found by; the rest is data for whoever reads it. */
const record = z.looseObject({
  decisionId: z.uuid(),
  requestId: z.string().min(1).max(128),
  at: z.iso.datetime(),
  resources: z.array(z.string().max(2048)).max(64),
});
const shape = z.object({ decisions: z.array(record).max(MAX_RECORDS) });

export const auditRequests = (decisions: Decisions): RequestHandlers => ({
  RecordDecisions: async (input: unknown) => {
    const parsed = shape.safeParse(input);
    if (!parsed.success) throw new AwsError({ code: 'ValidationError', message: z.prettifyError(parsed.error) });
    await decisions.keep(parsed.data.decisions as unknown as DecisionRecord[]);
    return {};
  },
});
