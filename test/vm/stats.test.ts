/** What containers use, and images made of them, in the second kernel: the figures come from cgroup v2 there. */
import { guestSuite } from "./suite.ts";

guestSuite("stats", ["test/cli/stats.test.ts"], { tests: 4 });

guestSuite("commit", ["test/cli/commit.test.ts"], { tests: 3, only: ["what runs", "stands still"] });
