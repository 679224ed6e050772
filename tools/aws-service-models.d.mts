/** Schemas by name, an operation's under `<name>$operation`, and enum links, as `generate-aws-protocol.mjs` takes them. */
export const clientOfModel: (
  id: string,
  model: unknown,
) => {
  client: Record<string, readonly unknown[]>;
  links: { enums: Map<string, readonly string[]>; of(struct: string, member: string): string | undefined };
};
