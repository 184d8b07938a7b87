/** Limits by their effect on cgroup v2, in the second kernel. */
import { guestSuite } from "./suite.ts";

guestSuite("limits", ["test/cli/limits.test.ts"], {
  tests: 4,
  only: ["a hog", "a fork bomb", "--cpus", "what is changed"],
});
