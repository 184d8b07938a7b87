/**
 * A kernel that has nothing of nftables, and one that has them for bridges alone: `run` says so, and what there is instead, and
 * leaves nothing.
 */
import { expect } from "bun:test";
import { dirname } from "node:path";
import { busyboxLayout } from "../support/images.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { cacheDirectory } from "../support/scratch.ts";
import { runInUml, umlNeeds } from "./uml.ts";

const { test } = needs({ ...umlNeeds, tools: [...umlNeeds.tools, "tar"] });

test("is told in one line, and --network none and host go on working", async () => {
  const layout = await busyboxLayout();
  const script = `
    export RT_ROOT=/tmp/root RT_STATE=/run/state
    rt() { ${rtBinary} "$@"; }
    try() { rt "$@"; echo "= $?"; }
    modprobe=$(cat /proc/sys/kernel/modprobe)
    echo /bin/false >/proc/sys/kernel/modprobe
    rt pull -q oci:${layout}
    try run --rm localhost/layout true
    try run -d localhost/layout true
    try run --rm --network none localhost/layout echo alone
    try run --rm --network host localhost/layout echo beside
    RT_NETWORK=none try run --rm localhost/layout echo by a variable
    echo $modprobe >/proc/sys/kernel/modprobe
    try run --rm localhost/layout true
    rt ps -aq; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; cat $RT_STATE/containers/* $RT_ROOT/snapshots/*/active/* 2>/dev/null || true`;
  const visible = [dirname(rtBinary), cacheDirectory()];
  const { stdout } = await runInUml(script, { visible, timeoutMs: 200_000 });
  const refusal = expect.stringMatching(
    /^rt: cannot start container \w+: .*; this kernel lacks a part of nftables: use --network none or host$/,
  );
  expect(stdout.trim().split("\n")).toEqual([
    "localhost/layout:latest",
    ...[refusal, "= 125"],
    ...[refusal, "= 125"],
    ...["alone", "= 0", "beside", "= 0", "by a variable", "= 0"],
    ...[refusal, "= 125"],
    "lo",
  ]);
}, 240_000);
