/** `rt diff`: what a container changed of its image, by either snapshot driver, running or not. */
import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const script = `
  mkdir -p /new/deep; echo x > /new/deep/file; ln -s nowhere /new/link
  rm /bin/vi
  rm -r /home; mkdir /home; echo y > /home/mine
  chmod 711 /usr
  echo more >> /etc/passwd
  touch /etc/own
  mkdir /tmp/gone; rmdir /tmp/gone
  mv /linuxrc /renamed
`;

const changes = `C /bin
D /bin/vi
C /etc
A /etc/own
C /etc/passwd
C /home
D /home/app
A /home/mine
D /linuxrc
A /new
A /new/deep
A /new/deep/file
A /new/link
A /renamed
C /usr
`;

for (const driver of ["overlay", "copy"]) {
  const rt = async (args: string[]) => host().ok(args, { env: { RT_STORAGE_DRIVER: driver } });
  const layout = async () => (await import("../support/images.ts")).busyboxLayout();

  test(`${driver}: added, changed and deleted, as docker prints them`, async () => {
    await rt(["pull", "-q", `oci:${await layout()}`]);
    await rt(["run", "--name", "over", image, "sh", "-c", script]);
    expect(await rt(["diff", "over"])).toBe(changes);
    expect(await rt(["container", "diff", "over"])).toBe(changes);
    await rt(["rm", "over"]);
  });

  test(`${driver}: nothing was changed, volumes are not the container's own`, async () => {
    mkdirSync(join(host().dir, "shared"), { recursive: true });
    const flags = ["-v", `${host().dir}/shared:/mnt/shared`, "--tmpfs", "/scratch"];
    await rt([
      "run",
      "--name",
      "over",
      ...flags,
      image,
      "sh",
      "-c",
      "echo x > /mnt/shared/f; echo x > /scratch/f",
    ]);
    // The places of the volumes are in its own root.
    expect(await rt(["diff", "over"])).toBe("A /mnt\nA /mnt/shared\nA /scratch\n");
    await rt(["rm", "over"]);
    await rt(["run", "--name", "over", image, "true"]);
    expect(await rt(["diff", "over"])).toBe("");
    await rt(["rm", "over"]);
  });
}

test("while it runs", async () => {
  await using container = await running(host(), ["sh", "-c", "touch /made; echo up; exec sleep 1000"]);
  await container.client.stdout.waitFor("up");
  expect(await host().ok(["diff", container.name])).toBe("A /made\n");
});

test("a name that acts on a terminal is shown, and none makes up a line", async () => {
  await host().ok([
    "run",
    "--name",
    "over",
    image,
    "sh",
    "-c",
    "touch \"$(printf '/a\\n\\033[2J')x\"; touch '/é'",
  ]);
  expect(await host().ok(["diff", "over"])).toBe("A /a\\n\\u001b[2Jx\nA /é\n");
  await host().ok(["rm", "over"]);
});

test("a container that is not there", async () => {
  const { stderr, code } = await host().rt(["diff", "nosuch"]);
  expect(oneLine(stderr)).toBe("No such container: nosuch");
  expect(code).toBe(1);
});
