// SPDX-License-Identifier: Apache-2.0
import net from "node:net";
import { lastValue } from "./argument_values.ts";
import { codeOf, messageOf, ServerError } from "./error.ts";

export type EndpointName = "http" | "grpc" | "metrics";

/** One address that the server listens on. */
export interface Endpoint {
  name: EndpointName;
  address: string;
  port: number;
}

export const defaultPorts: Record<EndpointName, number> = { http: 8000, grpc: 8001, metrics: 8002 };
export const defaultAddress = "127.0.0.1";
const names: readonly EndpointName[] = ["http", "grpc", "metrics"];

/** Reads a port number; the name of its option is part of the error. */
export function parsePort(text: string, option: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 1 && port <= 65535)) {
    throw new ServerError("ARGUMENT", `${option} needs a port number from 1 to 65535, not ${JSON.stringify(text)}.`);
  }
  return port;
}

/** The endpoints that a server started with these tritonserver arguments opens. */
export function endpointsOf(args: readonly string[]): Endpoint[] {
  const enabled = names.filter((name) => !/^(false|0|off)$/i.test(lastValue(args, `--allow-${name}`) ?? "true"));
  const endpoints = enabled.map((name) => ({
    name,
    address: lastValue(args, `--${name}-address`) ?? defaultAddress,
    port: parsePort(lastValue(args, `--${name}-port`) ?? String(defaultPorts[name]), `--${name}-port`),
  }));
  for (const endpoint of endpoints) {
    const twin = endpoints.find((other) => other !== endpoint && other.port === endpoint.port);
    if (twin !== undefined) {
      throw new ServerError(
        "ARGUMENT",
        `--${endpoint.name}-port and --${twin.name}-port are both ${endpoint.port}. Give each its own port.`,
      );
    }
  }
  return endpoints;
}

/** The address that a client on this machine uses. */
function reachable({ address }: Endpoint): string {
  return address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
}

/** host:port as a client on this machine writes it. */
export function hostAndPort(endpoint: Endpoint): string {
  const host = reachable(endpoint);
  return host.includes(":") ? `[${host}]:${endpoint.port}` : `${host}:${endpoint.port}`;
}

/** Whether something listens there. */
export function isListening(endpoint: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ host: reachable(endpoint), port: endpoint.port, timeout: 5000 });
    const settle = (listens: boolean) => {
      probe.destroy();
      resolve(listens);
    };
    probe.once("connect", () => settle(true));
    probe.once("error", () => settle(false));
    probe.once("timeout", () => settle(false));
  });
}

/** Tries to listen; gives the error's code when that fails. */
function listenFailure(endpoint: Endpoint): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", (error) => resolve(codeOf(error) ?? messageOf(error)));
    probe.listen({ host: endpoint.address, port: endpoint.port, exclusive: true }, () => {
      probe.close(() => resolve(undefined));
    });
  });
}

/** The sentence for an endpoint that cannot be opened. */
export function portSentence(endpoint: Endpoint, code: string): string {
  const { name, address, port } = endpoint;
  if (code === "EADDRINUSE") {
    return `Port ${port} on ${address} is in use by another program. Stop it, or choose another port with --${name}-port.`;
  }
  if (code === "EACCES") {
    return `Port ${port} may not be opened by this user. Choose a port from 1024 on with --${name}-port.`;
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return `This machine has no address ${address}. Correct --${name}-address; 0.0.0.0 stands for all addresses.`;
  }
  return `${address}:${port} cannot be opened (${code}). Choose another with --${name}-address and --${name}-port.`;
}

/** Throws ServerError for the first endpoint that cannot be opened. */
export async function checkEndpoints(endpoints: readonly Endpoint[]): Promise<void> {
  for (const endpoint of endpoints) {
    const code = await listenFailure(endpoint);
    if (code !== undefined) throw new ServerError("ARGUMENT", portSentence(endpoint, code));
  }
}
