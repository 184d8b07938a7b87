/** Profiles of system calls that others ship, out of Debian's packages, which are unpacked and not installed. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";
import { outside } from "./outside.ts";
import { fixture } from "./scratch.ts";

export const profilesNeed = { tools: ["apt-get", "dpkg-deb"] } as const;

const sources = {
  docker: [
    "golang-github-docker-docker-dev",
    "usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json",
  ],
  /** As it was before a rule had several names. */
  old: [
    "golang-github-docker-docker-dev",
    "usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/fixtures/default-old-format.json",
  ],
  podman: ["golang-github-containers-common", "usr/share/containers/seccomp.json"],
} as const;

/** @returns the file */
export async function profileOf(whose: keyof typeof sources): Promise<string> {
  const [name, file] = sources[whose];
  const directory = await fixture(name, name, async (into) => {
    const download = join(into, "download");
    await mkdir(download);
    await run(outside(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name]), {
      cwd: download,
    });
    await run(["sh", "-c", "dpkg-deb -x ./*.deb ../tree"], { cwd: download });
    await rm(download, { recursive: true });
  });
  return join(directory, "tree", file);
}
