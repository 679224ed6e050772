import { AwsError } from '@holdfast/contracts';

/**
 * Errors that several EC2 actions answer with. Wordings are AWS's own, as clients recorded them; where a wording belongs to
 * one action only, it stands beside that action.
 */
const error = (code: string, message: string) => new AwsError({ code, message });

export const missingParameter = (parameter: string) =>
  error('MissingParameter', `The request must contain the parameter ${parameter}`);
export const invalidParameterValue = (message: string) => error('InvalidParameterValue', message);
export const invalidParameterCombination = (message: string) => error('InvalidParameterCombination', message);
export const unsupportedOperation = (message: string) => error('UnsupportedOperation', message);

/** What a request with `DryRun` is answered when it would have been carried out. */
export const dryRunOperation = () =>
  new AwsError({
    code: 'DryRunOperation',
    message: 'Request would have succeeded, but DryRun flag is set.',
    status: 412,
  });

/**
 * Refuses a parameter that EC2 knows and Holdfast does not carry out: ignoring one would be a lie to its sender. An empty text
 * asks for nothing; clients such as Terraform send it for what they were not told.
 */
export const refuseParameters = (parameters: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '')
      throw unsupportedOperation(`The parameter ${name} is not supported.`);
  }
};
