// SPDX-License-Identifier: Apache-2.0
// node scripts/test-headers.mjs PLACE [RELEASE...]: compares our declarations of Triton's API (backend-shim/src/triton_api.h) with the
// official headers, name by name, while compiling. PLACE is a folder that holds triton/core/tritonbackend.h, such as
// /opt/tritonserver/include, or a clone of triton-inference-server/core, of which every release from 23.07 on is taken, or these.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inRoot } from "./lib/paths.mjs";

const OLDEST = "23.07";
const HEADERS = ["tritonbackend.h", "tritonserver.h"];
const USAGE =
  "Usage: npm run test:headers -- FOLDER_OF_HEADERS, or a clone of triton-inference-server/core and releases of it";

/** A program that is not there. */
class Missing extends Error {}

function finish(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    ...options,
  });
  if (error?.code === "ENOENT") throw new Missing(`${program} was not found on PATH: install it.`);
  if (error !== undefined) throw error;
  return { ok: status === 0, stdout, output: `${stdout}${stderr}` };
}

/** The releases of a clone, and the name of each one's branch; undefined for a folder that is no clone. */
function releasesOf(place) {
  const { ok, stdout } = finish("git", [
    "-C",
    place,
    "for-each-ref",
    "--format=%(refname)",
    "refs/heads",
    "refs/remotes",
  ]);
  if (!ok) return undefined;
  const found = [...stdout.matchAll(/^(refs\/\S*\/r(\d\d\.\d\d))$/gm)].map(([, branch, release]) => [release, branch]);
  return new Map(found.filter(([release]) => release >= OLDEST).sort(([a], [b]) => a.localeCompare(b)));
}

/** Writes the headers of a branch in the layout that an installed Triton has. */
function takeHeaders(place, branch, folder) {
  const target = path.join(folder, "triton", "core");
  mkdirSync(target, { recursive: true });
  for (const name of HEADERS) {
    const { ok, stdout, output } = finish("git", ["-C", place, "show", `${branch}:include/triton/core/${name}`]);
    if (!ok) throw new Error(`${branch} has no include/triton/core/${name}: ${output}`);
    writeFileSync(path.join(target, name), stdout);
  }
}

/** Whether our declarations are those of the headers; prints what differs, and what the headers lack. */
function compare(headers, release, build) {
  const options = [`-DTRITON_INCLUDE_DIR=${headers}`, `-DTRITON_RELEASE=${release}`, "-DTSB_BUILD_ADDON=OFF"];
  const configured = finish("cmake", ["-S", inRoot(), "-B", build, ...options]);
  const lines = configured.output.split("\n");
  const compared = lines.flatMap((line) => /: (\d+) \w+ compared with/.exec(line)?.[1] ?? []);
  const lacking = lines.flatMap((line) => /triton_api\.h: (\w+), there since/.exec(line)?.[1] ?? []);
  const names = compared.reduce((sum, count) => sum + Number(count), 0);
  const built = configured.ok && finish("cmake", ["--build", build, "--target", "tsb_triton_api_check"]);
  const ok = built !== false && built.ok && names > 0;
  console.log(
    `${release || headers}: ${ok ? "the same" : "NOT the same"}, ${names} names compared, ${lacking.length} not there yet`,
  );
  if (!ok) console.log((built || configured).output);
  return ok;
}

function main([place, ...wanted]) {
  if (place === undefined || !existsSync(place)) {
    console.error(place === undefined ? USAGE : `There is no ${place}. ${USAGE}.`);
    return 2;
  }
  const isHeaders = existsSync(path.join(place, "triton", "core", HEADERS[0]));
  if (isHeaders && wanted.length > 0) {
    console.error(
      `${place} is a folder of headers, of one release: ${wanted.join(", ")} can be chosen of a clone only.`,
    );
    return 2;
  }
  // A fresh checkout has no such folder yet.
  mkdirSync(inRoot("build"), { recursive: true });
  const work = mkdtempSync(path.join(inRoot("build"), "headers-"));
  try {
    const build = path.join(work, "build");
    if (isHeaders) return compare(path.resolve(place), "", build) ? 0 : 1;
    const releases = releasesOf(place);
    if (releases === undefined || releases.size === 0) {
      console.error(`${place} has no triton/core/${HEADERS[0]}, and no branches of releases. ${USAGE}.`);
      return 2;
    }
    const unknown = wanted.filter((release) => !releases.has(release));
    if (unknown.length > 0) {
      console.error(`${place} has no branch of ${unknown.join(", ")}. It has ${[...releases.keys()].join(", ")}.`);
      return 2;
    }
    const results = (wanted.length > 0 ? wanted : [...releases.keys()]).map((release) => {
      const headers = path.join(work, release);
      takeHeaders(place, releases.get(release), headers);
      return compare(headers, release, build);
    });
    const passed = results.filter(Boolean).length;
    console.log(`${passed} passed, ${results.length - passed} failed`);
    return passed === results.length ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.error(error.message);
    return 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = main(process.argv.slice(2));
