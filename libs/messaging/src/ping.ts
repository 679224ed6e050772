/** Answered by every request server, to whoever waits for it to be ready. */
export const PING = 'Ping';
