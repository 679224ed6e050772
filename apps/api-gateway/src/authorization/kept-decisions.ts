import { operations, type ParsedRequest } from '@holdfast/aws-protocol';

/** What only reads changes nothing, and of blocks of data there are very many. Refusals are kept in any case. */
export const isKeptWhenAllowed = ({ service, operation }: Pick<ParsedRequest, 'service' | 'operation'>): boolean =>
  operations(service).get(operation)?.readOnly !== true && operation !== 'PutSnapshotBlock';
