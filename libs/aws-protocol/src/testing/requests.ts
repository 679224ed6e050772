import type { RawRequest } from '../http-message.ts';

const EC2_SCOPE = 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240101/us-east-1/';
/** A header that routes a request to a service without being a valid signature. */
export const scopedTo = (service: string): string =>
  `${EC2_SCOPE}${service}/aws4_request, SignedHeaders=host, Signature=00`;

/** A form request as a query client sends it. */
export const formRequest = (service: string, form: string): RawRequest => ({
  method: 'POST',
  url: '/',
  headers: { authorization: scopedTo(service), 'content-type': 'application/x-www-form-urlencoded' },
  body: Buffer.from(form),
});

export const jsonRequest = (target: string, body: string | Buffer): RawRequest => ({
  method: 'POST',
  url: '/',
  headers: { 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.1' },
  body: Buffer.from(body),
});

export const restRequest = (method: string, url: string, headers: Record<string, string>, body = ''): RawRequest => ({
  method,
  url,
  headers,
  body: Buffer.from(body),
});

/** The AwsError that `run` throws; fails when it throws nothing or anything else. */
export const refusal = (run: () => unknown): { code: string; message: string; status?: number } => {
  try {
    run();
  } catch (error) {
    if (error instanceof Error && error.name === 'AwsError' && 'code' in error && typeof error.code === 'string') {
      return { code: error.code, message: error.message };
    }
    throw error;
  }
  throw new Error('nothing was refused');
};
