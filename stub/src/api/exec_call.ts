// SPDX-License-Identifier: Apache-2.0
import { type CallContent, theCaller } from "./caller.ts";
import { TritonError } from "./errors.ts";
import { InferenceResponse } from "./response.ts";

/** How the response of a call is given. */
export interface ExecOptions {
  /** An error response rejects the promise: true by default. Else it is given like any other, with its `error`. */
  throwOnError?: boolean | undefined;
}

/** Makes a call that has one response with data at most. */
export function execCall(content: CallContent, throwOnError: boolean): Promise<InferenceResponse> {
  return new Promise((resolve, reject) => {
    let answer: InferenceResponse | undefined;
    let error: TritonError | undefined;
    const call = theCaller().call(content, (response, isFinal) => {
      if (response !== undefined) take(response, isFinal);
      if (!isFinal) return;
      if (error !== undefined && throwOnError) reject(error);
      else resolve(error === undefined ? (answer ?? new InferenceResponse()) : new InferenceResponse([], { error }));
    });

    function take(response: InferenceResponse, isFinal: boolean): void {
      if (error !== undefined) {
        response.dispose();
      } else if (response.error !== undefined) {
        error = response.error;
      } else if (answer !== undefined && answer.outputs.length > 0 && response.outputs.length > 0) {
        response.dispose();
        error = secondResponse(content.modelName);
        if (!isFinal) call.cancel();
      } else if (answer === undefined || answer.outputs.length === 0) {
        answer = response;
      }
      if (error === undefined) return;
      answer?.dispose();
      answer = undefined;
    }
  });
}

function secondResponse(modelName: string): TritonError {
  return new TritonError(
    `Model '${modelName}' gave more than one response, which exec() has no place for. ` +
      "Iterate them: for await (const response of request.stream()).",
  );
}
