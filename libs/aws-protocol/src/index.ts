export type * as cloudtrail from './generated/cloudtrail.types.ts';
export type * as rbin from './generated/rbin.types.ts';
export type * as ebs from './generated/ebs.types.ts';
export type * as ec2 from './generated/ec2.types.ts';
export type * as iam from './generated/iam.types.ts';
export type * as kms from './generated/kms.types.ts';
export type * as sts from './generated/sts.types.ts';
export type { RawRequest, RawResponse, ResponseContext } from './http-message.ts';
export { type OperationInfo, operations } from './operations.ts';
export { type ParsedRequest, parseRequest } from './parse-request.ts';
export { serviceOf } from './route.ts';
export { serializeError, serializeResponse } from './serialize.ts';
export type { ServiceId } from './service-model.ts';
export { SERVICE_IDS, unsupportedOperation } from './services.ts';
export { deriveSigningKey } from './sigv4/derive-signing-key.ts';
export { accessDenied } from './sigv4/failures.ts';
export {
  type Authenticated,
  SignatureVerifier,
  type SignatureVerifierOptions,
  type SigningKey,
  type SigningKeyResolver,
} from './sigv4/signature-verifier.ts';
export type { Credential } from './sigv4/authorization.ts';
