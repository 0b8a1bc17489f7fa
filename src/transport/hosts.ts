// Names of hosts as they stand in URLs, in Host headers and in the configuration, and which of them mean this machine.

/** Whether only this machine reaches what is bound to `host`, or what a URL names by it. Lower case, an IPv6 address without brackets. */
export function isLoopbackHost(host: string): boolean {
  return (
    host === "localhost" ||
    host.endsWith(".localhost") || // names that browsers and resolvers keep for this machine (RFC 6761)
    host === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
  );
}

/** An address instead of a name: nobody's name server can make it mean another machine. */
export function isAddress(host: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host) || host.includes(":");
}

const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([^\s/:?#@[\]]+))(?::(\d{1,5}))?$/;

/** `host` or `host:port`; null for anything else. The host in lower case and without brackets; no port is "". */
export function readAuthority(text: string): { host: string; port: string } | null {
  const [, bracketed, name, port = ""] = AUTHORITY.exec(text.toLowerCase()) ?? [];
  const host = bracketed ?? name;
  return host === undefined ? null : { host, port };
}
