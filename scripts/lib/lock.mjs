// SPDX-License-Identifier: Apache-2.0
// One setup at a time in a checkout. The lock file names its owner by process id and start time, so that the lock of
// an owner that was killed is recognised, also after its process id has been given to another process.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command name may hold spaces; the start time is the 20th field behind its closing parenthesis.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function ownerIsAlive(text) {
  const [pid, started] = text.trim().split(" ");
  return started !== undefined && startTime(pid) === started;
}

function tryTake(file, mine) {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, mine);
  try {
    // A link appears with its content: nobody can read a lock that is still empty.
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function removeDead(file) {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return; // released in between
  }
  if (ownerIsAlive(text)) return;
  const grave = `${file}.dead.${process.pid}`;
  try {
    renameSync(file, grave);
    const buried = readFileSync(grave, "utf8");
    // Another process may have replaced the dead lock by its own between our look and the rename: give it back.
    if (buried !== text) linkSync(grave, file);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  }
  rmSync(grave, { force: true });
}

/** Runs `work` while holding the lock; waits for another owner, telling so once through `onWait(pid)`. */
export async function withLock(file, work, onWait = () => {}) {
  const mine = `${process.pid} ${startTime(process.pid)}\n`;
  let told = false;
  while (!tryTake(file, mine)) {
    removeDead(file);
    if (!told) {
      told = true;
      onWait(file);
    }
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
