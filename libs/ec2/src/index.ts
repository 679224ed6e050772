export { AMAZON_ACCOUNT_ID, amazonSnapshot } from './amazon-image.ts';
export { isTokenForgotten, livingToken } from './living-token.ts';
export { checkClientToken, clientTokenBurned, idempotentParameterMismatch, parametersHash } from './client-token.ts';
export {
  attachmentGrant,
  copyGrant,
  ebsServiceContext,
  forwardedContext,
  type GrantRequest,
  volumeGrant,
} from './ebs-grants.ts';
export { EbsKeys, isRefusal, type KmsRequest } from './ebs-keys.ts';
export { isDeviceName, isRootDevice } from './device-names.ts';
export {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
  unsupportedOperation,
} from './errors.ts';
export { column, filterConditions, type SqlFilter, SqlParameters } from './filter-sql.ts';
export { type Filter, parsePattern, type Pattern, type RecordFilters, recordFilter } from './filters.ts';
export { KMS_USES, type KmsStep, kmsStepsOf, type KmsUse } from './kms-steps.ts';
export { loadPageTokens, PAGE_TOKEN_KEY_TABLE } from './page-token-key.ts';
export { cutPage, describePage, type PageRequest, pageSize, PageTokens, type PageScope } from './paging.ts';
export {
  exceedsTagLimit,
  parseCreateTags,
  parseDeleteTags,
  removedKeys,
  type Tag,
  tagLimitExceeded,
  tagList,
  type TagRemoval,
  type Tags,
  type TagSpecification,
  tagsOfSpecifications,
  withoutTags,
  withTags,
} from './tags.ts';
