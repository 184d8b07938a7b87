/** cgroup v2, and nothing else: what is different there has a file of its own. */
import { guestSuite } from "./suite.ts";

guestSuite("cgroup v2", ["test/vm/guest/cgroup-v2.ts"], {
  tests: 22,
  tools: ["strace"],
  guest: { modules: ["loop"] },
});
guestSuite("rt in rt", ["test/root/nested.test.ts"], {
  tests: 3,
  only: ["in a privileged one", "the outer one"],
});
