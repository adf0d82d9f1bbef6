// SPDX-License-Identifier: Apache-2.0
// Why models could not be loaded, taken from the server's log: the repository index gives no reason for a model whose
// configuration cannot be read or for an ensemble, leaves out a model without a version, and shows one that is being
// tried again as LOADING.
import { textIn } from "./log_line.ts";

const parseError = /^\[libprotobuf ERROR .*\] Error parsing text-format [\w.]+: (.*)$/;

/** What the log says about one model, or one version: its name, the version, the reason. */
const failures: readonly RegExp[] = [
  /^Poll failed for model directory '(?<model>.+?)': (?<reason>.*)$/s,
  /^failed to poll model '(?<model>.+?)': (?<reason>.*)$/s,
  /^failed to load model '(?<model>.+?)': (?<reason>.*)$/s,
  /^failed to load '(?<model>.+?)' version (?<version>\d+): (?<reason>.*)$/s,
  // Of ensembles the reason is all there is, behind the name of its code.
  /^(?:[A-Z][\w ]*: )?(?<reason>(?:in )?ensemble (?:'(?<model>.+?)' |(?<model2>[^'].*?)(?:,| contains| allows) ).*)$/s,
  /^(?:[A-Z][\w ]*: )?(?<reason>circular dependency between ensembles: (?<model>.+?) -> .*)$/s,
];

const parseErrorsKept = 100;

/** What an ensemble says about its step's failure stands at that step. */
function withoutRepetition(reason: string): string {
  return reason.replace(/ Model '[^']+' (?:loading )?failed with error: .*$/s, "");
}

export class LoadFailures {
  /** By model, then by version; the version "" stands for the whole model. */
  #reasons = new Map<string, Map<string, string>>();
  readonly #loaded = new Set<string>();
  /** The parser's lines that no model was found for yet. They have no name. */
  #parseErrors: string[] = [];
  readonly #apart: boolean;
  #reloadHasFailed = false;

  /** `apart`: the log is kept in a file, and the parser's lines come on standard error, before that file is read. */
  constructor({ apart = false } = {}) {
    this.#apart = apart;
  }

  /** Takes one line of the server's log. */
  take(line: string): void {
    const broken = parseError.exec(line)?.[1];
    if (broken !== undefined) {
      this.#parseErrors = [...this.#parseErrors.slice(-parseErrorsKept), broken];
      return;
    }
    const text = textIn(line);
    const loaded = /^successfully loaded '(.+)'$/.exec(text)?.[1];
    if (loaded !== undefined) {
      this.#reasons.delete(loaded);
      this.#loaded.add(loaded);
      return;
    }
    const found = failures.map((pattern) => pattern.exec(text)?.groups).find((groups) => groups !== undefined);
    if (found === undefined) return;
    const { model = found["model2"], version = "", reason = "" } = found;
    this.#add(model, version, withoutRepetition(this.#withParseError(reason)));
  }

  /** The parser's line stands directly before the one that names the model; apart from it, in the same order. */
  #withParseError(reason: string): string {
    const broken = reason.startsWith("failed to read text proto") ? this.#parseErrors.shift() : undefined;
    if (!this.#apart) this.#parseErrors = [];
    return broken === undefined ? reason : `${reason}: ${broken}`;
  }

  #add(model = "", version: string, reason: string): void {
    if (this.#loaded.delete(model)) this.#reloadHasFailed = true;
    const versions = this.#reasons.get(model) ?? new Map<string, string>();
    this.#reasons.set(model, versions.set(version, reason));
  }

  /** Names of the models that failed and were not loaded since. */
  get models(): string[] {
    return [...this.#reasons.keys()];
  }

  /** Whether a model that was loaded failed later, whatever became of it since. */
  get reloadHasFailed(): boolean {
    return this.#reloadHasFailed;
  }

  /** Names of the models that were loaded and did not fail since. */
  get loaded(): string[] {
    return [...this.#loaded];
  }

  /** Why a version failed, or the model; undefined when the log does not say that it failed. */
  reason(model: string, version?: string): string | undefined {
    const versions = this.#reasons.get(model);
    return versions?.get(version ?? "") ?? versions?.get("") ?? (version ? undefined : versions?.values().next().value);
  }
}
