export { NbdClient, NbdClientError } from './nbd-client.ts';
