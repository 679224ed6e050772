/** How long a server that may be gone is waited for when something closes, in milliseconds. */
const LAST_WORDS_MS = 2000;

/**
 * Waits for what needs the server's answer, but not for ever: while the connection is lost the answer never comes.
 * Failures are swallowed, since nothing but closing follows.
 */
export const whileConnected = async (answer: Promise<unknown>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_WORDS_MS)));
  await Promise.race([answer, late]).catch(() => undefined);
  clearTimeout(timer);
};
