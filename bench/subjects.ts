// SPDX-License-Identifier: Apache-2.0
// Who is compared: one identity model per backend, alike in all but the backend.

export const SUBJECT_NAMES = ["floor", "python", "typescript", "typescript_allocate"] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];

export interface Subject {
  name: SubjectName;
  title: string;
  /** The backend's name in config.pbtxt. */
  backend: string;
  /** The model's source below bench/models, or nothing for a backend that needs none. */
  source?: string;
}

export const SUBJECTS: Readonly<Record<SubjectName, Subject>> = {
  floor: { name: "floor", title: "native C (floor)", backend: "native_identity" },
  python: { name: "python", title: "python_backend", backend: "python", source: "identity_python/model.py" },
  typescript: { name: "typescript", title: "typescript", backend: "typescript", source: "identity/model.ts" },
  typescript_allocate: {
    name: "typescript_allocate",
    title: "typescript, allocateOutput",
    backend: "typescript",
    source: "identity_allocate/model.ts",
  },
};

/**
 * The aims speak of the counterpart of the numpy identity, which hands its input on. The model with allocateOutput copies
 * once itself, which none of the others does: it is shown, and not judged.
 */
export const JUDGED: readonly SubjectName[] = ["typescript"];

/** The same for every subject: no batching, one instance on the CPU. */
export function modelConfig(subject: Subject): string {
  return [
    `backend: "${subject.backend}"`,
    "max_batch_size: 0",
    'input [ { name: "INPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]',
    'output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]',
    "instance_group [ { kind: KIND_CPU count: 1 } ]",
    "",
  ].join("\n");
}

export interface TensorSize {
  label: string;
  bytes: number;
}

export const SIZES: readonly TensorSize[] = [
  { label: "64B", bytes: 64 },
  { label: "64KiB", bytes: 64 << 10 },
  { label: "1MiB", bytes: 1 << 20 },
  { label: "16MiB", bytes: 16 << 20 },
];

export const CONCURRENCIES: readonly number[] = [1, 8];
