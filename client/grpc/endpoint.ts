// SPDX-License-Identifier: Apache-2.0
// Where a server's gRPC endpoint is.
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { TritonError } from "../../stub/src/api/errors.ts";

/** How a connection is encrypted, and who is trusted. */
export interface TlsOptions {
  /** Certificates of the authorities that are trusted, as PEM. Default: those that Node trusts. */
  rootCertificates?: Uint8Array | string | undefined;
  /** The client's own key and certificates, as PEM, where the server wants to know who asks. */
  privateKey?: Uint8Array | string | undefined;
  certificateChain?: Uint8Array | string | undefined;
}

/** A place that grpc-js connects to. */
export interface Endpoint {
  /** As the user is told. */
  readonly host: string;
  /** As grpc-js takes it. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  /** Of this machine: no proxy stands in between. */
  readonly isLocal: boolean;
  /** What grpc-js must be told besides. */
  readonly options?: ChannelOptions;
}

const DEFAULT_PORT = 8001;
const PLAIN_SCHEMES = ["grpc:", "http:"];
const TLS_SCHEMES = ["grpcs:", "https:"];

const bytesOf = (pem: Uint8Array | string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));

/** A name that is asked for in the place of an address of numbers; nobody has it. */
const STAND_IN = "address.invalid";

/** `address`: whom the certificate must be for where the stand-in is asked for. */
function secure({ rootCertificates, privateKey, certificateChain }: TlsOptions, address?: string): ChannelCredentials {
  const check = (name: string, certificate: PeerCertificate) =>
    checkServerIdentity(name === STAND_IN ? address! : name, certificate);
  const verify = address === undefined ? {} : { checkServerIdentity: check };
  return credentials.createSsl(bytesOf(rootCertificates), bytesOf(privateKey), bytesOf(certificateChain), verify);
}

/**
 * Credentials for an address of numbers. grpc-js would ask for a server of that name, which TLS does not allow and newer Nodes
 * refuse: some name is asked for, and the certificate must be for the address. A name that the user overrides it with stays.
 */
function secureAddress(tls: TlsOptions, address: string): Pick<Endpoint, "credentials" | "options"> {
  return { credentials: secure(tls, address), options: { "grpc.ssl_target_name_override": STAND_IN } };
}

function withPort(authority: string): string {
  return /:\d+$/.test(authority) ? authority : `${authority}:${DEFAULT_PORT}`;
}

function wrongUrl(url: unknown): TritonError {
  return new TritonError(
    `The gRPC endpoint of a Triton server has an address such as 127.0.0.1:8001, grpcs://host:8001 or unix:/a/path, not ${JSON.stringify(url)}.`,
    "INVALID_ARG",
  );
}

/**
 * The endpoint that an address names: host and port, with `grpc://` or `http://` in front or nothing, `grpcs://` or
 * `https://` for TLS, or `unix:PATH`.
 *
 * @throws TritonError INVALID_ARG when it is none of these
 */
export function endpointOf(url: unknown, tls: TlsOptions | undefined): Endpoint {
  if (typeof url !== "string" || url === "" || /\s/.test(url)) throw wrongUrl(url);
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*:)\/\/(.*)$/i.exec(url) ?? [undefined, "", url];
  const isTls = tls !== undefined || TLS_SCHEMES.includes(scheme);
  const channelCredentials = isTls ? secure(tls ?? {}) : credentials.createInsecure();
  if (/^unix(-abstract)?:/.test(url)) {
    return { host: url, target: url, credentials: channelCredentials, isLocal: true };
  }
  const authority = rest.replace(/\/+$/, "");
  const isKnown = scheme === "" || PLAIN_SCHEMES.includes(scheme) || TLS_SCHEMES.includes(scheme);
  if (!isKnown || authority === "" || authority.includes("/") || !URL.canParse(`http://${authority}`))
    throw wrongUrl(url);
  const host = withPort(authority);
  const isLocal = /^(localhost|127\.[\d.]+|\[::1\]):/.test(host);
  const address = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const byNumbers = isTls && isIP(address) !== 0 ? secureAddress(tls ?? {}, address) : {};
  return { host, target: host, credentials: channelCredentials, isLocal, ...byNumbers };
}
