// SPDX-License-Identifier: Apache-2.0
// How much may be under way to the module. HTTP/2 begins with 64 KiB for a connection and for each of its calls, and whoever
// sends waits for leave at the end of them: a picture of 900 KB would wait a dozen times. grpc-js has an option for the
// connections of its clients and none for those of its servers, so they are widened when their first call arrives.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerHttp2Stream } from "node:http2";

/** A picture of 1920x1080 in uint8, and what belongs to it. Larger messages wait now and then. */
const windowBytes = 8 * 1024 * 1024;

/** Of newer Nodes, such as the 26 that the install brings; 20 never publishes it, and calls with large tensors take longer there. */
const channel = "http2.server.stream.created";

/** Widens the connections to all HTTP/2 servers of this process from now on. Returns what ends that. */
export function widenReceiveWindows(): () => void {
  const widened = new WeakSet<object>();
  const onStream = (message: unknown): void => {
    const { session } = (message as { stream: ServerHttp2Stream }).stream;
    if (session === undefined || session.closed || session.destroyed || widened.has(session)) return;
    widened.add(session);
    session.setLocalWindowSize(windowBytes);
    session.settings({ initialWindowSize: windowBytes });
  };
  subscribe(channel, onStream);
  return () => {
    unsubscribe(channel, onStream);
  };
}
