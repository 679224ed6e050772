export { documentedFilters } from './documented-filters.ts';
export { type FakeGrant, FakeKms, type KmsCall } from './fake-kms.ts';
