// SPDX-License-Identifier: Apache-2.0
import { setCaller } from "../api/caller.ts";
import { TritonError } from "../api/errors.ts";
import { setMetricServer } from "../api/metric_server.ts";
import { isDecoupled } from "../api/model_config.ts";
import { setModelServer } from "../api/model_server.ts";
import { Connection } from "../ipc/connection.ts";
import type { PayloadKey, Step } from "../ipc/control.ts";
import { currentRequest } from "./current_request.ts";
import { ExecuteLoop } from "./execute_loop.ts";
import { ExecuteQueue } from "./execute_queue.ts";
import { collectGarbage, collectYoung } from "./garbage.ts";
import { askForLevels, followLevels, log, routeConsole } from "./logging.ts";
import { backendFlag, type InitializePayload, type LoadPayload, ModelLife, stepError } from "./model_life.ts";
import { Readiness } from "./readiness.ts";
import { Rejections } from "./rejections.ts";
import { describeError } from "./thrown.ts";

const exit = process.exit.bind(process);

/**
 * Ends the process, and with it all requests that it has: the server answers them and starts another one. For a state in
 * which nobody can tell which of them are answered; a model's own `uncaughtException` handler must not hide it.
 */
function giveUp(error: unknown): void {
  log("E", `The process of this instance cannot go on. ${describeError(error)}`);
  exit(1);
}

/** Says why the process ends. A model that listens for such errors goes on, and says what it likes. */
function logUncaught(error: unknown): void {
  if (process.listenerCount("uncaughtException") > 0 || process.hasUncaughtExceptionCaptureCallback()) return;
  log("E", `An error that nothing caught ends the process of this instance. ${describeError(error)}`);
}

/** What the model's own code is called in an error of a step. */
const WHERE: Readonly<Record<Step, string>> = {
  load: "Loading the model",
  initialize: "The model's initialize",
  finalize: "The model's finalize",
};

/** The process of one model instance: does the server's steps, then executes batches. */
class Stub {
  readonly #life: ModelLife;
  readonly #connection: Connection;
  #loop: ExecuteLoop | undefined;
  #readiness: Readiness | undefined;
  /** The step whose promise is not settled. */
  #pending: Step | undefined;

  constructor(apiUrl: string) {
    this.#life = new ModelLife(apiUrl);
    this.#connection = new Connection({
      onBatch: (batch) => this.#loop!.run(batch),
      onStep: (step, payload) => this.#start(step, payload),
      onCheckReady: (reply) => void this.#readiness!.check().then(reply),
      onIdle: () => collectGarbage(this.#hasOpenRequests),
      onBroken: giveUp,
      onGarbage: (youngOnly) => (youngOnly ? collectYoung() : collectGarbage(true)),
      onLogLevelsWanted: askForLevels,
      currentRequest,
    });
    followLevels(this.#connection.logLevels);
    setMetricServer(this.#connection.metrics);
    process.on("newListener", (event) => {
      if (event === "SIGSEGV" || event === "SIGBUS") this.#connection.unguard();
    });
    process.on("beforeExit", () => this.#onNothingLeft());
    const rejections = new Rejections(() => {
      if (this.#hasOpenRequests) collectGarbage(true);
    });
    // A promise of the model that nobody waits for must not take the answers of other requests with it.
    process.on("uncaughtExceptionMonitor", logUncaught);
    process.on("unhandledRejection", (reason) => rejections.note(reason));
  }

  /** A request that is open may be one whose sender the model has lost, which only a collection shows. */
  get #hasOpenRequests(): boolean {
    return this.#connection.openBatches > 0;
  }

  #start(step: Step, payload: unknown): void {
    this.#pending = step;
    // While a step runs, the connection does not keep the loop alive: if nothing else does either, nothing can settle
    // the step's promise any more, and the server is told instead of waiting for ever.
    this.#connection.hold(false);
    this.#run(step, payload).then(
      (answer) => this.#finish(step, answer),
      (error: unknown) => this.#finish(step, stepError(error, WHERE[step])),
    );
  }

  #onNothingLeft(): void {
    const step = this.#pending;
    if (step === undefined) return;
    const error = new TritonError(
      `${WHERE[step]} returned a promise that nothing is left to settle: no timer, no I/O. Look for an await on something ` +
        "that is never resolved.",
    );
    this.#finish(step, stepError(error, WHERE[step]));
  }

  #finish(step: Step, answer: object): void {
    if (this.#pending !== step) return;
    this.#pending = undefined;
    this.#connection.hold(true);
    try {
      this.#connection.answerStep(step, answer);
    } catch (error) {
      // A configuration that is no JSON.
      this.#connection.answerStep(step, stepError(error, WHERE[step]));
    }
    if (step === "finalize") process.exit(0);
  }

  async #run(step: Step, payload: unknown): Promise<object> {
    switch (step) {
      case "load":
        if (backendFlag(payload as LoadPayload, "protect-memory")) this.#connection.hideMemory();
        return await this.#life.load(payload as LoadPayload);
      case "initialize": {
        const { inputs, outputs, instanceName, concurrency, modelConfig } = payload as InitializePayload;
        setCaller(this.#connection.calls);
        setModelServer(this.#connection.models);
        this.#connection.metrics.open();
        process.title = `triton-typescript ${instanceName}`;
        const { model, answers, strict } = await this.#life.initialize(payload as InitializePayload);
        const mode = {
          instance: instanceName,
          decoupled: isDecoupled(modelConfig),
          iterative: modelConfig.sequence_batching?.iterative_sequence === true,
        };
        const queue = new ExecuteQueue(concurrency, modelConfig.sequence_batching !== undefined);
        const loop = new ExecuteLoop(model, this.#connection, answers, mode, giveUp, queue);
        this.#connection.configure({
          tables: { inputs, outputs },
          strictViews: strict,
          makeExchange: (request) => loop.makeResponder(request),
          onUnsendable: (error) => answers.failure(error),
        });
        this.#loop = loop;
        this.#readiness = new Readiness(model);
        return { checksReady: this.#readiness.isAsked } satisfies Record<PayloadKey<"initialize", "reply">, boolean>;
      }
      case "finalize":
        if (this.#connection.openBatches > 0) throw new Error("The server ended a model that has open requests.");
        await this.#life.finalize();
        return {};
    }
  }
}

/** Starts the stub in this process. `apiUrl` is the module that models import as `triton-typescript`. */
export function startStub(apiUrl: string): void {
  routeConsole();
  new Stub(apiUrl);
}
