// SPDX-License-Identifier: Apache-2.0
// Who may include whom among the C sources. `sources` maps paths, relative to the root, to texts.
import path from "node:path";

/** Each folder with the folders that it may include from, besides itself. Tests may include everything. */
const SEES = {
  "backend-shim/shared": [],
  "backend-shim/src": ["backend-shim/shared"],
  "backend-shim/tools": ["backend-shim/shared"],
  "stub/native": ["backend-shim/shared"],
  "bench/native_identity": ["backend-shim/src"],
};

/** The folder of SEES that a file lies in; nothing for tests. */
function roomOf(file) {
  if (file.split("/").includes("test")) return undefined;
  return Object.keys(SEES).find((folder) => file.startsWith(`${folder}/`));
}

/** The file that an include means: the compiler looks beside the including file first, then in the folders it is given. */
function resolve(from, name, sources) {
  const beside = path.posix.join(path.posix.dirname(from), name);
  if (sources.has(beside)) return beside;
  const named = [...sources.keys()].filter((file) => file.endsWith(`/${name}`));
  const seen = SEES[roomOf(from)] ?? [];
  return named.find((file) => seen.includes(roomOf(file))) ?? named[0];
}

/** The files of each room with what they include; what the project does not have is the system's. */
function includesOf(sources) {
  const rooms = [...sources].filter(([file]) => roomOf(file) !== undefined);
  return rooms.map(([file, text]) => {
    const names = [...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map((match) => match[1]);
    return [file, names.map((name) => resolve(file, name, sources)).filter((target) => target !== undefined)];
  });
}

/** A sentence for each include that leaves its folder for one that it may not know. */
export function wrongDirections(sources) {
  return includesOf(sources).flatMap(([file, targets]) => {
    const room = roomOf(file);
    const wrong = targets.filter((target) => ![room, ...SEES[room]].includes(roomOf(target)));
    const allowed = SEES[room].length === 0 ? "nothing" : `only ${SEES[room].join(" and ")}`;
    return wrong.map((target) => `${file} includes ${target}, but besides itself ${room} may include ${allowed}.`);
  });
}

/** A sentence for each circle of includes. A .c and its .h count as one: what one includes, the other needs. */
export function circles(sources) {
  const graph = new Map();
  for (const [file, targets] of includesOf(sources)) {
    const node = file.replace(/\.[ch]$/, "");
    const others = targets.map((target) => target.replace(/\.[ch]$/, "")).filter((other) => other !== node);
    graph.set(node, new Set([...(graph.get(node) ?? []), ...others]));
  }
  const found = [];
  const done = new Set();
  const visit = (node, trail) => {
    if (trail.includes(node)) {
      found.push(`${[...trail.slice(trail.indexOf(node)), node].join(" -> ")} is a circle of includes.`);
      return;
    }
    if (done.has(node)) return;
    for (const other of graph.get(node) ?? []) visit(other, [...trail, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

/** Files of the library, in layers: each knows those of its own layer and of those before it. docs/architecture.md tells why. */
export const LAYERS = [
  [
    "triton_api",
    "error",
    "dtype",
    "log",
    "log_levels",
    "json",
    "text",
    "path",
    "environment",
    "log_pipe",
    "resemblance",
    "settings",
    "scheduling",
    "correlation",
    "io_table",
    "workers",
    "model_waits",
    "metric_family",
    "builtin_metrics",
  ],
  ["record", "tensor_record", "parameter_record", "call_record", "bytes_walk"],
  [
    "placement",
    "stub_process",
    "sender",
    "payload",
    "shim_calls",
    "mapping",
    "lender",
    "client_memory",
    "stub_memory",
    "stub_channel",
    "readiness",
    "stub_events",
    "outbox",
    "open_calls",
    "metric_table",
    "stub",
  ],
  ["backend", "model", "request_record", "batch", "instance_state"],
  [
    "response_wish",
    "response_record",
    "call_answer",
    "call_request",
    "calls",
    "load_files",
    "model_control",
    "metrics",
    "shim_methods",
    "answers",
    "cancels",
    "time_limit",
    "wait_cycle",
    "reader",
    "execute",
    "instance_stub",
    "supervisor",
    "instance",
    "backend_api",
  ],
];
const LIBRARY = "backend-shim/src/";

/** A sentence for each file of the library that is in no layer, and for each include that goes up. */
export function wrongLayers(sources) {
  const layerOf = (file) =>
    LAYERS.findIndex((names) => names.includes(file.slice(LIBRARY.length).replace(/\.[ch]$/, "")));
  return includesOf(sources).flatMap(([file, targets]) => {
    if (!file.startsWith(LIBRARY) || !/\.[ch]$/.test(file)) return [];
    if (layerOf(file) < 0)
      return [`${file} is in no layer of the library: add it to LAYERS in scripts/lib/c_includes.mjs.`];
    const up = targets.filter((target) => target.startsWith(LIBRARY) && layerOf(target) > layerOf(file));
    return up.map((target) => `${file} includes ${target}, which lies in a layer above it.`);
  });
}

/** Programs, and what only the other world calls: nobody includes them. */
const WITHOUT_HEADER = new Set(["backend-shim/src/backend_api.c", "stub/native/addon.c"]);

/** A sentence for each .c without a header of its name: circles hide where one header speaks for several files. */
export function missingHeaders(sources) {
  const needed = [...sources.keys()].filter(
    (file) => /^(backend-shim\/(shared|src)|stub\/native)\/\w+\.c$/.test(file) && !WITHOUT_HEADER.has(file),
  );
  const missing = needed.filter((file) => !sources.has(file.replace(/c$/, "h")));
  return missing.map((file) => `${file} has no header of its name; its functions stand in the header of another file.`);
}
