/** Whom the kernel ends last when memory is short, and what such a process starts. This machine may let nobody be that. */
import { expect } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { digestOf } from "../../../src/oci/digest.ts";
import { fileLayer, imageOf, servedImage } from "../../cli/image-world.ts";
import { processesMentioning } from "../../support/leaks.ts";
import { needs } from "../../support/root.ts";
import { rtBinary } from "../../support/rt.ts";
import { until } from "../../support/wait.ts";

const { test } = needs({ root: true });

/** "-999" is what a machine's session has. */
for (const [inherited, own] of [
  ["-999", "0"],
  ["500", "500"],
] as const) {
  test(`what unpacks for a caller with the score ${inherited} has ${own}`, async () => {
    const layer = fileLayer("big", 3_000_000);
    await using world = await servedImage(imageOf([layer]));
    world.registry.once(new RegExp(`GET .*/blobs/${digestOf(layer)}`), (_, wire) => {
      wire.head(200, { "Content-Length": String(layer.length) });
      wire.socket.write(layer.subarray(0, 1_000_000)); // and no more, ever
    });
    const scored = `echo ${inherited} >/proc/self/oom_score_adj && exec "$0" "$@"`;
    await using pull = world.host.spawn(["-c", scored, rtBinary, "pull", "-q", world.name], {
      binary: "/bin/sh",
    });
    const score = (pid: number) => readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim();
    const helper = await until("rt-layer is where it unpacks", () =>
      processesMentioning(world.host.root).find(
        ({ pid, command }) => command.includes(" unpack ") && readlinkSync(`/proc/${pid}/root`) !== "/",
      ),
    );
    expect([score(pull.pid), score(helper.pid)]).toEqual([inherited, own]);
    pull.kill("SIGKILL");
    await pull.exited;
  });
}
