import { AwsError } from '@holdfast/contracts';

/** @throws AwsError InvalidInstanceID.Malformed */
export const checkInstanceIds = (ids: readonly string[]): void => {
  const malformed = ids.find((id) => !/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id));
  if (malformed !== undefined) {
    throw new AwsError({ code: 'InvalidInstanceID.Malformed', message: `Invalid id: "${malformed}"` });
  }
};

/** @throws AwsError InvalidInstanceID.NotFound naming every id without a row. */
export const checkedIdsExist = (ids: readonly string[], rows: readonly { instanceId: string }[]): void => {
  const found = new Set(rows.map(({ instanceId }) => instanceId));
  const missing = [...new Set(ids)].filter((id) => !found.has(id));
  if (missing.length === 0) return;
  const message =
    missing.length === 1
      ? `The instance ID '${missing.join()}' does not exist`
      : `The instance IDs '${missing.join(', ')}' do not exist`;
  throw new AwsError({ code: 'InvalidInstanceID.NotFound', message });
};
