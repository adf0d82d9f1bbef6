// SPDX-License-Identifier: Apache-2.0
// Asks a robot what its sign reader sees: npx tsx examples/viam/client.ts ROBOT PICTURE, where ROBOT is such as
// http://localhost:8080, or ROBOT --camera CAMERA for the vision service's detections in what a camera of the robot sees.
import { type Detection, MLModelClient, RobotClient, VisionClient } from "@viamrobotics/sdk";
import sharp from "sharp";

const model = "sign-reader";
const visionService = "signs";

const [host, ...what] = process.argv.slice(2);
if (host === undefined || what.length === 0) {
  console.error("Usage: npx tsx examples/viam/client.ts ROBOT PICTURE | ROBOT --camera CAMERA");
  process.exit(2);
}

interface Line {
  text: string;
  score: number;
  box: number[];
}

const percent = (share: number) => `${Math.round(share * 100)} %`;

/** The lines of text in a picture, from the model itself: it takes pixels, and gives texts when it is asked for them. */
async function readPicture(robot: RobotClient, file: string): Promise<Line[]> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const shape = [1, info.height, info.width, 3].map(BigInt);
  const tensors = { image: { shape, tensor: { case: "uint8Tensor", value: { data: new Uint8Array(data) } } } };
  type Tensors = Parameters<MLModelClient["infer"]>[0];
  const answer = await new MLModelClient(robot, model).infer({ tensors } as unknown as Tensors);
  const outputs = answer.outputTensors?.tensors ?? {};
  const numbers = (name: string) => [...(outputs[name]?.tensor.value?.data ?? [])].map(Number);
  const [scores, places] = [numbers("score"), numbers("location")];
  // Of a service with "bytes_outputs": "json"; without, Viam carries no text.
  const json = outputs["text"]?.tensor.value?.data;
  const texts: string[] = json === undefined ? [] : JSON.parse(new TextDecoder().decode(json as Uint8Array));
  return scores
    .map((score, i) => ({ text: texts[i] ?? "sign", score, box: places.slice(i * 4, i * 4 + 4) }))
    .filter(({ score }) => score > 0.5)
    .map(({ text, score, box: [top = 0, left = 0, bottom = 0, right = 0] }) => ({
      text,
      score,
      box: [left * info.width, top * info.height, right * info.width, bottom * info.height].map(Math.round),
    }));
}

/** The code of the system at the bottom of an error, else what the error says. */
function reasonOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") return code;
  }
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}

async function lookThrough(robot: RobotClient, camera: string): Promise<Line[]> {
  const found: Detection[] = await new VisionClient(robot, visionService).getDetectionsFromCamera(camera);
  return found.map(({ className, confidence, xMin, yMin, xMax, yMax }) => ({
    text: className,
    score: confidence,
    box: [xMin, yMin, xMax, yMax].map(Number),
  }));
}

// `createRobotClient` knows WebRTC only, which Node does not have.
const robot = new RobotClient();
// It prints the stack of every attempt, so somebody else asks first whether anything is there.
await fetch(host).catch((error: unknown) => {
  const sentence = `No robot answers at ${host} (${reasonOf(error)}).`;
  console.error(`${sentence} Look whether viam-server runs, and whether the URL is right.`);
  process.exit(1);
});
await robot.dial({ host, disableSessions: true, noReconnect: true });
const lines =
  what[0] === "--camera" ? await lookThrough(robot, what[1] ?? "camera") : await readPicture(robot, what[0]!);
for (const { text, score, box } of lines) console.log(`${percent(score)}  ${text}  [${box.join(", ")}]`);
await robot.disconnect();
process.exit(0);
