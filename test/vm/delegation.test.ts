/** An ordinary user's limits, where cgroup v2 is all that there is. */
import { guestSuite } from "./suite.ts";

guestSuite("an ordinary user's control groups", ["test/vm/guest/delegation.ts"], {
  tests: 5,
  tools: ["newuidmap"],
});
