/**
 * A container that changes its files while they are made into a layer, and means no good: directories and files that become
 * links out of it, fifos, devices and files that shrink and grow. Nothing of the host comes into the image, and nothing waits.
 */
import { expect } from "bun:test";
import { containerTests, oneLine, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";

const { test, host } = containerTests();

/** Of what any file of the canary says. */
const song = /canary sings|deep down|nobody may read/;
const usual = 12;

for (const driver of ["overlay", "copy"])
  test(
    `${driver}: a layer against racers holds nothing of the host's`,
    async () => {
      const env = { RT_STORAGE_DRIVER: driver };
      await host().ok(
        ["pull", "-q", `oci:${await (await import("../../support/images.ts")).busyboxLayout()}`],
        {
          env,
        },
      );
      const canary = await plantCanary(host().dir, `canary-${driver}`);
      const up = "../".repeat(40).slice(0, -1);
      const script = `
      mkdir -p /race/t/sub/deep /race/kept; cd /race
      for n in 0 1 2 3 4 5 6 7 8 9; do echo inside > t/sub/deep/f$n; echo inside > t/sub/g$n; done
      ln -s ${up}${canary.dir} t/away; ln -s ${canary.dir}/sub t/sub/away; echo inside > t/file; ln -s ${canary.dir}/file t/link
      mkfifo t/fifo; echo inside > t/other; mknod t/zero c 1 5; echo inside > t/plain
      probe racer /race/t/sub /race/t/away & probe racer /race/t/sub/deep /race/t/sub/away &
      probe racer /race/t/file /race/t/link & probe racer /race/t/other /race/t/fifo & probe racer /race/t /race/kept &
      probe racer /race/t/plain /race/t/zero &
      (while :; do dd if=/dev/zero of=/race/grows bs=64k count=40 2>/dev/null; : > /race/grows; done) &
      echo racing; wait`;
      await using container = await running(host(), ["sh", "-c", script], ["--cap-add", "MKNOD"]);
      await container.client.stdout.waitFor("racing");
      let made = 0;
      for (const round of rounds(usual)) {
        const flags = round % 4 === 0 ? [] : ["--pause=false"];
        const { code, stderr } = await host().rt(["commit", ...flags, container.name, "team/raced"], { env });
        if (code !== 0) {
          oneLine(stderr);
          continue;
        }
        made++;
        const read = "find /race -type f -exec cat {} + 2>/dev/null; true";
        expect(await host().ok(["run", "--rm", "team/raced", "sh", "-c", read], { env })).not.toMatch(song);
      }
      // Those that stood still at least.
      expect(made).toBeGreaterThanOrEqual(usual / 4);
      await canary.check();
      await host().ok(["image", "prune", "-f"], { env });
      await host().ok(["rmi", "team/raced"], { env });
    },
    soakTimeoutMs(180_000),
  );

test("what a container mounts over its files is not in the image", async () => {
  const script =
    "mkdir /over; echo below > /over/file; mount -t tmpfs none /over; echo above > /over/file; echo up; sleep 1000";
  await using container = await running(host(), ["sh", "-c", script], ["--privileged"]);
  await container.client.stdout.waitFor("up");
  await host().ok(["commit", container.name, "team/mounted"]);
  expect(await host().ok(["run", "--rm", "team/mounted", "cat", "/over/file"])).toBe("below\n");
  await host().ok(["rmi", "team/mounted"]);
});
