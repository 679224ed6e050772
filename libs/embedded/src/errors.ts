/** A server could not be found, started or kept. `message` is one line that says what to do about it. */
export class EmbeddedServerError extends Error {
  override readonly name = 'EmbeddedServerError';
}
