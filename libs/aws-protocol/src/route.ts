import { encodedPairs, header, percentDecode, queryParameters, splitUrl, type RawRequest } from './http-message.ts';
import type { ServiceId } from './service-model.ts';
import { isServiceId, modelOf, SERVICE_IDS } from './services.ts';

/** Service named by a credential scope `<access key>/<date>/<region>/<service>/aws4_request`. */
const ofScope = (credential: string | undefined): ServiceId | undefined => {
  const name = credential?.split('/')[3] ?? '';
  return isServiceId(name) ? name : undefined;
};

const AUTHORIZATION = /^AWS4-[A-Z0-9-]+\s.*\bCredential=([^,\s]+)/;

/** X-Amz-Target's part before the operation; CloudTrail's also comes with its Java package. */
export const splitTarget = (target: string): { prefix: string; operation: string } => {
  const dot = target.lastIndexOf('.');
  const qualified = target.slice(0, Math.max(dot, 0));
  return { prefix: qualified.slice(qualified.lastIndexOf('.') + 1), operation: target.slice(dot + 1) };
};

const ofTarget = (target: string | undefined): ServiceId | undefined => {
  if (target === undefined) return undefined;
  const { prefix } = splitTarget(target);
  return SERVICE_IDS.find((id) => modelOf(id).targetPrefix === prefix);
};

const ofVersion = (form: string): ServiceId | undefined => {
  for (const [key, value] of encodedPairs(form)) {
    if (key !== 'Version') continue;
    const version = percentDecode(value);
    return SERVICE_IDS.find((id) => modelOf(id).protocol.endsWith('Query') && modelOf(id).version === version);
  }
  return undefined;
};

/**
 * The service that a request is for: by its credential scope, else by X-Amz-Target, path and Version. Null when nothing
 * tells; such a request is not for AWS's interface at all. Never throws.
 */
export const serviceOf = (request: RawRequest): ServiceId | null => {
  const { path, query } = splitUrl(request.url);
  return (
    ofScope(AUTHORIZATION.exec(header(request, 'authorization') ?? '')?.[1]) ??
    ofScope(queryParameters(query)?.get('X-Amz-Credential')) ??
    ofTarget(header(request, 'x-amz-target')) ??
    (path === '/snapshots' || path.startsWith('/snapshots/') ? 'ebs' : undefined) ??
    ofVersion(query) ??
    ofVersion(request.body.toString('latin1')) ??
    null
  );
};
