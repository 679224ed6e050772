import { refusal } from './refusals.ts';

const MAX_LENGTH = 255;

/** @throws DomainError DescriptionNotAscii | DescriptionTooLong */
export const checkedDescription = (description = ''): string => {
  if (!/^[\x00-\x7f]*$/.test(description)) throw refusal('DescriptionNotAscii', { description });
  if (description.length > MAX_LENGTH) throw refusal('DescriptionTooLong', { maximum: MAX_LENGTH });
  return description;
};
