// SPDX-License-Identifier: Apache-2.0
// Coverage-guided fuzzing of what reads the other process's bytes: the targets of test/fuzz, built by clang with its
// libFuzzer, in build-fuzz.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { inRoot } from "./paths.mjs";
import { onPath, run, runQuietly, SetupError } from "./process.mjs";

const folder = "build-fuzz";
const watched = "address,undefined";
const EMPTY_TARGET = "int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { (void)d, (void)n; return 0; }\n";

export const NO_CLANG =
  "fuzz: skipped, as there is no clang with libFuzzer here (c-asan runs the seeds all the same). " +
  "On Debian and Ubuntu: apt-get install clang-14 libclang-rt-14-dev; or name one in the variable CLANG.";

export function fuzzTargets() {
  const names = readdirSync(inRoot("test/fuzz")).map((name) => /^fuzz_(\w+)\.c$/.exec(name)?.[1]);
  return names.filter((name) => name !== undefined).sort();
}

/** The clang to use, or undefined. Not every one brings libFuzzer, so each is asked to make an empty target. */
export function findClang(env = process.env) {
  const versions = Array.from({ length: 20 }, (_, i) => `clang-${30 - i}`);
  const candidates = env.CLANG ? [env.CLANG] : ["clang", ...versions].filter((name) => onPath(name, env));
  mkdirSync(inRoot(folder), { recursive: true });
  const args = [`-fsanitize=fuzzer,${watched}`, "-x", "c", "-", "-o", inRoot(folder, "probe")];
  return candidates.find((name) => spawnSync(name, args, { input: EMPTY_TARGET, env }).status === 0);
}

/** Builds all targets. */
export async function buildFuzzers(clang) {
  const options = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O1", `-DTSB_SANITIZE=${watched}`];
  options.push("-DTSB_FUZZ=ON", "-DTSB_BUILD_ADDON=OFF");
  const env = { ...process.env, CC: clang };
  await runQuietly("cmake", ["-S", ".", "-B", folder, ...options], "Configuring the fuzz targets", { env });
  const built = await run("cmake", ["--build", folder, `-j${availableParallelism()}`, "--target", "fuzzers"]);
  if (built !== 0) throw new SetupError("Building the fuzz targets failed; the compiler's words are above.");
}

/** What libFuzzer says at its end. */
export function countsOf(log) {
  const number = (pattern) => Number(pattern.exec(log)?.[1] ?? 0);
  return {
    inputs: number(/stat::number_of_executed_units:\s*(\d+)/),
    added: number(/stat::new_units_added:\s*(\d+)/),
    reached: number(/DONE\s+cov: (\d+)/),
  };
}

function folderOf(...parts) {
  mkdirSync(inRoot(folder, ...parts), { recursive: true });
  return path.join(folder, ...parts);
}

/** Runs one target, and gives whether it found nothing. What it learns stays in its corpus for the next time. */
async function fuzzOne(target, seconds) {
  const [seeds, corpus, found] = [folderOf("seeds", target), folderOf("corpus", target), folderOf("found")];
  const written = spawnSync(inRoot(folder, "bin", `replay_${target}`), ["--write", inRoot(seeds)], {
    encoding: "utf8",
  });
  if (written.status !== 0) throw new SetupError(`The seeds of '${target}' could not be written: ${written.stderr}`);
  const limits = [`-max_total_time=${Math.max(1, Math.round(seconds))}`, "-timeout=30", "-max_len=8192"];
  const args = [...limits, "-print_final_stats=1", `-artifact_prefix=${found}/${target}-`, corpus, seeds];
  const env = { ...process.env, UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1" };
  const child = spawn(inRoot(folder, "bin", `fuzz_${target}`), args, {
    cwd: inRoot(),
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const log = Buffer.concat(chunks).toString();
  writeFileSync(inRoot(folderOf("logs"), `${target}.log`), log);
  report(target, code, log, seconds);
  return code === 0;
}

function report(target, code, log, seconds) {
  const { inputs, added, reached } = countsOf(log);
  if (code === 0) {
    const time = `${Math.round(seconds)} s`;
    console.log(
      `fuzz: ${target.padEnd(16)} ${inputs} inputs in ${time}, ${reached} edges reached, ${added} inputs kept`,
    );
    return;
  }
  const kept = /Test unit written to (\S+)/.exec(log)?.[1];
  console.error(log.split("\n").slice(-60).join("\n"));
  console.error(
    `fuzz: ${target} failed; all it said is in ${folder}/logs/${target}.log. ` +
      (kept === undefined ? "No input was kept." : `Run the input again: ${folder}/bin/fuzz_${target} ${kept}`),
  );
}

/** Fuzzes the targets for so many seconds each, as many at once as there are cores. Gives how many found nothing. */
export async function fuzz(targets, secondsEach) {
  const waiting = [...targets];
  let passed = 0;
  const work = async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      if (await fuzzOne(target, secondsEach)) passed++;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return passed;
}

/** What `npm run fuzz -- MINUTES [TARGET...]` asks for; throws a sentence. */
export function fuzzPlan(args, known, cores) {
  const [minutes = "1", ...named] = args;
  const seconds = Number(minutes) * 60;
  if (!(seconds > 0)) throw new SetupError(`Usage: npm run fuzz -- [MINUTES [TARGET...]]. '${minutes}' is no time.`);
  const unknown = named.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new SetupError(`There is no fuzz target ${unknown.join(", ")}. Targets: ${known.join(", ")}.`);
  }
  const targets = named.length > 0 ? named : known;
  return { targets, secondsEach: (seconds * Math.min(cores, targets.length)) / targets.length };
}
