/** cgroup v2, and nothing else: what is different there has a file of its own. */
import { guestSuite } from "./suite.ts";

guestSuite("cgroup v2", ["test/vm/guest/cgroup-v2.ts"], { tests: 20, tools: ["strace"] });
