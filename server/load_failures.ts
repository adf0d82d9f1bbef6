// SPDX-License-Identifier: Apache-2.0
// Why models could not be loaded, taken from the server's log: the repository index gives no reason for a model whose
// configuration cannot be read, leaves out one without a version, and shows one that is being tried again as LOADING.

const mark = /^[IWEF]\d{4} \d\d:\d\d:[\d.]+ \d+ [\w.]+:\d+\] (".*")$/;
const parseError = /^\[libprotobuf ERROR .*\] Error parsing text-format [\w.]+: (.*)$/;

/** The text of a log line; the server writes it as a JSON string. */
function messageIn(line: string): string | undefined {
  const quoted = mark.exec(line)?.[1];
  if (quoted === undefined) return undefined;
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1); // a server before the escaping of log messages
  }
}

export class LoadFailures {
  /** By model, then by version; the version "" stands for the whole model. */
  #reasons = new Map<string, Map<string, string>>();
  #parseError = "";

  /** Takes one line of the server's log. */
  take(line: string): void {
    const broken = parseError.exec(line)?.[1];
    if (broken !== undefined) {
      this.#parseError = broken;
      return;
    }
    const message = messageIn(line);
    if (message === undefined) return;
    const loaded = /^successfully loaded '(.+)'$/.exec(message)?.[1];
    if (loaded !== undefined) this.#reasons.delete(loaded);
    const polled = /^Poll failed for model directory '(.+?)': (.*)$/s.exec(message);
    if (polled) this.#add(polled[1], "", this.#withParseError(polled[2] ?? ""));
    const whole = /^failed to load model '(.+?)': (.*)$/s.exec(message);
    if (whole) this.#add(whole[1], "", whole[2]);
    const one = /^failed to load '(.+?)' version (\d+): (.*)$/s.exec(message);
    if (one) this.#add(one[1], one[2] ?? "", one[3]);
  }

  /** The parser's line has no name; it stands directly before the one that names the model. */
  #withParseError(reason: string): string {
    const broken = this.#parseError;
    this.#parseError = "";
    return broken !== "" && reason.startsWith("failed to read text proto") ? `${reason}: ${broken}` : reason;
  }

  #add(model = "", version: string, reason = ""): void {
    const versions = this.#reasons.get(model) ?? new Map<string, string>();
    this.#reasons.set(model, versions.set(version, reason));
  }

  /** Names of the models that failed and were not loaded since. */
  get models(): string[] {
    return [...this.#reasons.keys()];
  }

  /** Why a version failed, or the whole model; undefined when the log does not say that it failed. */
  reason(model: string, version = ""): string | undefined {
    const versions = this.#reasons.get(model);
    return versions?.get(version) ?? versions?.get("");
  }
}
