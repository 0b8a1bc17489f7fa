// What the surroundings say: environment variables and process facts where there is a process, nothing
// in a browser. (`process` is looked up, never imported.)

const surroundings: typeof process | undefined = typeof process === "object" ? process : undefined;

/** A variable's value; an empty one counts as absent. */
export function variable(name: string): string | undefined {
  return surroundings?.env?.[name] || undefined;
}

/** What `hello` tells about the program this worker runs in. */
export function surroundingFacts(): Record<string, unknown> {
  if (typeof surroundings?.versions?.node !== "string") return { runtime: "browser" };
  const { pid, platform, arch, versions } = surroundings;
  return { runtime: `node ${versions.node}`, os: `${platform} ${arch}`, pid };
}
