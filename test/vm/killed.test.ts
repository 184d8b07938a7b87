/** Clients, monitors and containers that are killed in the second kernel: what is left of them goes, cgroups included. */
import { guestSuite } from "./suite.ts";

guestSuite("killed", ["test/cli/process-model.test.ts", "test/root/reliability.test.ts"], {
  tests: 12,
  only: ["kill -9", "killed", "processes are all gone", "the monitor: ", "death before its start"],
  except: { "while its container is being built": "User-Mode Linux has no /proc/PID/syscall" },
});
