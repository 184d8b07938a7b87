/** Namespaces of others in the second kernel: on cgroup v2, and an older Linux. */
import { guestSuite } from "./suite.ts";

guestSuite("namespaces of others", ["test/cli/namespaces.test.ts"], {
  tests: 6,
  only: ["the host's", "another container's", "nothing outlives", "a monitor that is killed", "by path"],
});

guestSuite("what joins a container that means ill", ["test/root/attacks/neighbours.test.ts"], {
  tests: 7,
  except: {
    "one that takes over": "its many rounds take too long here",
    "owners that are mapped": "a tmpfs of this Linux cannot map them",
  },
});

guestSuite("up and down", ["test/cli/system-up.test.ts"], {
  tests: 4,
  only: ["the power fails", "a process of this boot", "others need"],
});

guestSuite("hooks", ["test/cli/hooks.test.ts"], {
  tests: 5,
  only: ["each stage", "hooks find", "a createContainer hook", "joined pid namespace"],
});
