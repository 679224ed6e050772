import type { AwsError, Caller, RequestContext } from '@holdfast/contracts';

/** How long a service may take to answer, in milliseconds; after that the event is delivered again. */
const STEP_TIMEOUT_MS = 10_000;

/** What a process manager's handler answers when it is to be asked again. */
export type Later = { retryAfterMs: number } | undefined;

/** For a step of work that goes on after its request was answered. */
export const onBehalfOf = (caller: Caller): RequestContext => ({ ...caller, deadlineMs: Date.now() + STEP_TIMEOUT_MS });

export const textOf = ({ message, code }: AwsError): string => (message === '' ? code : message);
