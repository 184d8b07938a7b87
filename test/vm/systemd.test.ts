/** `cgroup-manager = "systemd"`, with a real one. */
import { guestSuite } from "./suite.ts";

guestSuite("units of systemd", ["test/vm/guest/systemd.ts"], {
  tests: 5,
  tools: ["systemctl", "/lib/systemd/systemd"],
  guest: { systemd: true },
});
