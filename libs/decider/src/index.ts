export { type Decider, fold } from './decider.ts';
export { assertNever, DomainError, VersionConflict } from './errors.ts';
