import { RtError } from "../../base/errors.ts";
import { hasApparmor, hasSelinux, loadedProfiles, selinuxContexts } from "../../runtime/security-modules.ts";
import type { AskedSettings } from "../../settings/container-settings.ts";
import { categoriesOf, type SelinuxLabels, selinuxLabels } from "../../settings/selinux.ts";
import type { SpecLabels } from "../../spec/labels.ts";

/** Of a host's profiles the one that a container has of which nothing else is said: ours (docs/apparmor/rt-default), or Docker's. */
const usualProfiles = ["rt-default", "docker-default"];

/** What is asked for, and what decides what is usual. */
type Wishes = Pick<AskedSettings, "apparmor" | "labelOptions" | "privileged">;

/** @param id of the container @throws RtError unsupported, not-found: what is asked for this host does not have */
export function securityLabels(id: string, wishes: Wishes): SpecLabels {
  const profile = profileOf(wishes);
  const selinux = contextsOf(id, wishes);
  return {
    ...(profile !== undefined && { apparmorProfile: profile }),
    ...(selinux && { selinuxLabel: selinux.process, mountLabel: selinux.file }),
  };
}

function profileOf({ apparmor, privileged }: Wishes): string | undefined {
  if (apparmor === "unconfined" || (apparmor === undefined && privileged)) return undefined;
  if (!hasApparmor()) {
    if (apparmor === undefined) return undefined;
    throw new RtError(
      "unsupported",
      `--security-opt apparmor=${apparmor}: AppArmor is not at work in this host's kernel`,
    );
  }
  const loaded = loadedProfiles();
  if (apparmor === undefined) return usualProfiles.find((name) => loaded?.has(name));
  // Where nobody says which ones there are the kernel will.
  if (loaded && !loaded.has(apparmor)) {
    throw new RtError(
      "not-found",
      `--security-opt apparmor=${apparmor}: AppArmor has no profile of that name loaded: apparmor_parser -r FILE loads one`,
    );
  }
  return apparmor;
}

function contextsOf(id: string, { labelOptions }: Wishes): SelinuxLabels | undefined {
  const asked = labelOptions.find((option) => option !== "disable");
  if (asked === undefined) return undefined;
  const policy = hasSelinux() ? selinuxContexts() : undefined;
  if (policy) return selinuxLabels(labelOptions, policy, categoriesOf(id));
  const why = hasSelinux()
    ? "this host's SELinux policy has nothing for containers (lxc_contexts)"
    : "SELinux is not at work in this host's kernel";
  throw new RtError("unsupported", `--security-opt label=${asked}: ${why}`);
}
