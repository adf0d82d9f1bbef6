// SPDX-License-Identifier: Apache-2.0
// The status of an answer, sent with its message. grpc-js sends it when the message has been written, a turn of the event loop and
// a write later, and callers wait for it: an answer is whole only with its status.
import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";

class PromptCall extends ServerInterceptingCall {
  // biome-ignore lint/suspicious/noExplicitAny: grpc-js declares it so
  override sendMessage(message: any, callback: () => void): void {
    // What becomes of the write need not be known: when it fails, the connection is gone, and the status with it.
    super.sendMessage(message, () => undefined);
    callback();
  }
}

/** For calls with one answer. Those with several wait until each is written. */
export const promptStatus: ServerInterceptor = (method, call) =>
  method.responseStream ? new ServerInterceptingCall(call) : new PromptCall(call);
