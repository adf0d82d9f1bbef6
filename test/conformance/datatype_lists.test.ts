// SPDX-License-Identifier: Apache-2.0
// Every list of datatypes holds those of tsb_dtype.def, whether it is code, documentation or a test's own.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, expectTypeOf, test } from "vitest";
import { tritonType } from "../../backends/onnxruntime/tensor_types.ts";
import { elementTypes } from "../../backends/onnxruntime/testing/onnx_file.ts";
import { DATA_TYPES, type DataType, UNTOLD_DATA_TYPES } from "../../stub/src/api/datatype.ts";
import { DTYPES } from "../../stub/src/protocol/layout.gen.ts";
import { arrayKinds } from "../e2e/harness/tensors.ts";

const textOf = (file: string) => readFileSync(join(import.meta.dirname, "..", "..", file), "utf8");

const rows = [
  ...textOf("backend-shim/shared/tsb_dtype.def").matchAll(/^TSB_DTYPE\((\w+), (\d+), (\d+), (\w+)\)$/gm),
].map(([, name, number, bytes, array]) => ({
  name: name!,
  number: Number(number),
  bytes: Number(bytes),
  array: array!,
}));
const names = rows.map(({ name }) => name).sort();
const configName = (name: string) => (name === "BYTES" ? "TYPE_STRING" : `TYPE_${name}`);
/** What ONNX Runtime's Node library cannot hold. */
const withoutOnnx = ["BF16"];

/** The cells of the table in a document whose head has these titles. */
function table(file: string, ...titles: string[]): string[][] {
  const lines = textOf(file).split("\n");
  const cells = (line: string) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const head = lines.findIndex((line) => cells(line).slice(0, titles.length).join() === titles.join());
  const end = lines.findIndex((line, index) => index > head && !line.startsWith("|"));
  return lines.slice(head + 2, end).map(cells);
}

test("the list has rows", () => {
  expect(rows.length).toBeGreaterThanOrEqual(14);
});

describe("the API", () => {
  test("datatype.ts has the same rows", () => {
    const own = DATA_TYPES.map(({ name, number, byteSize, array }) => ({
      name: name as string,
      number,
      bytes: byteSize,
      array: array.name,
    }));
    expect(own).toEqual(rows);
    expect(DATA_TYPES.map((info) => info.configName)).toEqual(rows.map(({ name }) => configName(name)));
  });

  test("its types are those of the generated rows", () => {
    expectTypeOf<DataType>().toEqualTypeOf<(typeof DTYPES)[number]["name"]>();
    expect(DTYPES.map((row) => ({ ...row, array: row.array.name }))).toEqual(rows);
  });

  test("a kind of array tells one datatype, or none", () => {
    const told = rows.filter(({ name }) => !UNTOLD_DATA_TYPES.some((untold) => untold === name));
    expect(new Set(told.map(({ array }) => array)).size).toBe(told.length);
  });

  test("the model guide's table", () => {
    const guide = table("docs/model-guide.md", "datatype", "in `config.pbtxt`", "`tensor.data`");
    const found = guide.flatMap(([datatypes, , arrays]) => {
      const kinds = arrays!.match(/\w+Array/g) ?? [];
      return datatypes!.split(", ").map((name, index) => `${name}: ${kinds[index]}`);
    });
    expect(found.sort()).toEqual(rows.map(({ name, array }) => `${name}: ${array}`).sort());
    const configured = guide.map(([datatypes, configNames]) => [
      datatypes!.split(", ")[0],
      configNames!.split(/[ ,]/)[0],
    ]);
    expect(configured).toEqual(configured.map(([name]) => [name, configName(name!)]));
  });
});

test("their number in prose", () => {
  expect(textOf("docs/compared.md")).toContain(`| ${rows.length} types, `);
  expect(textOf("CHANGELOG.md")).toContain(`all ${rows.length} datatypes`);
});

test("Triton's own enumeration", () => {
  const found = textOf("backend-shim/src/triton_api.h").matchAll(/^ *TRITONSERVER_TYPE_(\w+) = (\d+),$/gm);
  const numbers = [...found].map(([, name, number]) => `${name} ${number}`).filter((each) => each !== "INVALID 0");
  expect(numbers).toEqual(rows.map(({ name, number }) => `${name} ${number}`));
});

describe("ONNX", () => {
  test("the table in docs/onnx.md is what the backend does, and lacks only what the library lacks", () => {
    const spelled: Record<string, string> = { float: "float32", double: "float64" };
    const pairs = table("docs/onnx.md", "ONNX", "Triton").flatMap(([onnx, triton]) => {
      const datatypes = triton!.split(", ");
      return onnx!.split(", ").map((name, index) => ({ name: spelled[name] ?? name, datatype: datatypes[index]! }));
    });
    for (const { name, datatype } of pairs) expect(tritonType(name), name).toBe(datatype);
    const covered = [...pairs.map(({ datatype }) => datatype), ...withoutOnnx];
    expect(covered.sort()).toEqual(names);
  });

  test("the writer of small files", () => {
    const withoutDatatype = ["COMPLEX64", "FP8", "UINT4"]; // for tests of how such files are refused
    expect(Object.keys(elementTypes).sort()).toEqual([...names, ...withoutDatatype].sort());
  });
});

describe("end-to-end tests", () => {
  test("the client's arrays", () => {
    const kinds = Object.entries(arrayKinds).map(([name, kind]) => `${name}: ${kind.name}`);
    const wanted = rows.filter(({ name }) => name !== "BYTES").map(({ name, array }) => `${name}: ${array}`);
    expect(kinds.sort()).toEqual(wanted.sort());
  });

  test.each(["INPUT", "OUTPUT"])("%s of the model identity", (side) => {
    const config = textOf("test/fixtures/models/identity/config.pbtxt");
    const found = [...config.matchAll(/name: "([A-Z]+)_(\w+)", data_type: (\w+)/g)].filter(
      (match) => match[1] === side,
    );
    expect(found.map(([, , name, type]) => `${name}: ${type}`).sort()).toEqual(
      names.map((name) => `${name}: ${configName(name)}`),
    );
  });
});
