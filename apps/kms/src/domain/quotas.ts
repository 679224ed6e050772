/** What an account may have of each. @see KMS developer guide, Resource quotas */
export interface Quotas {
  /** Customer keys in one Region. */
  readonly keys: number;
  readonly aliasesPerKey: number;
  /** On one customer key. */
  readonly grantsPerKey: number;
  readonly policyBytes: number;
}

export const AWS_QUOTAS: Quotas = {
  keys: 100_000,
  aliasesPerKey: 50,
  grantsPerKey: 50_000,
  policyBytes: 32_768,
};
