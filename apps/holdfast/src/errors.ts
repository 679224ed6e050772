/** Something the user can mend. Printed as one line without a stack trace; the program then ends with exit code 1. */
export class UserError extends Error {
  override readonly name = 'UserError';
}
