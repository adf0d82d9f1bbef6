// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime's package keeps a database of usage events below the user's cache folder, and knows an address to send them
// to. Nobody who serves a model asked for that, so it is off unless the environment says otherwise. To be imported before
// onnxruntime-node, whose library looks at the variable when it is loaded.
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
