import type { Envelope, Reply } from './wire.ts';

/** Answers a service's requests in this process. */
export interface LocalResponder {
  /** False once it takes no more: it drains, or its connection is closed. */
  readonly isTaking: boolean;
  /** Takes a request as one that came over NATS; `answer` is called once. */
  deliver(envelope: Envelope, answer: (reply: Reply) => void): void;
}

/** Under which identity a bus is connected. */
interface BusIdentity {
  readonly servers: string;
  readonly user?: string;
}

/** Those of one broker and one of its users, by service. */
export class ResponderGroup {
  private readonly byService = new Map<string, LocalResponder[]>();

  add(service: string, responder: LocalResponder): void {
    const others = this.byService.get(service);
    if (others === undefined) this.byService.set(service, [responder]);
    else others.push(responder);
  }

  remove(service: string, responder: LocalResponder): void {
    const left = (this.byService.get(service) ?? []).filter((other) => other !== responder);
    if (left.length === 0) this.byService.delete(service);
    else this.byService.set(service, left);
  }

  /** One that takes requests now; several take turns. */
  find(service: string): LocalResponder | undefined {
    const responders = this.byService.get(service);
    if (responders === undefined) return undefined;
    if (responders.length > 1) responders.push(...responders.splice(0, 1));
    return responders.find(({ isTaking }) => isTaking);
  }
}

/**
 * Which services' requests are answered in this very process: a request to one of them need not go by the broker and come
 * back. Made by whoever starts several services in one process, and given to each of their buses. Buses of another broker,
 * or of another user of it, who may be allowed less, don't see each other.
 */
export class LocalResponders {
  private readonly groups = new Map<string, ResponderGroup>();

  of({ servers, user = '' }: BusIdentity): ResponderGroup {
    const name = JSON.stringify([servers, user]);
    const known = this.groups.get(name);
    if (known !== undefined) return known;
    const made = new ResponderGroup();
    this.groups.set(name, made);
    return made;
  }
}
