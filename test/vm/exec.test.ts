/** Exec and terminals in the second kernel. */
import { guestSuite } from "./suite.ts";

guestSuite("exec", ["test/cli/exec.test.ts"], { tests: 12, only: ["plain", "the end of", "kill -9"] });

guestSuite("terminals", ["test/cli/tty.test.ts"], { tests: 22 });
