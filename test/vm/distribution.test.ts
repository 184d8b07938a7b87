/** Debian, pulled and unpacked in the second kernel, and compared entry by entry. */
import { debianLayout, debianNeeds } from "../support/debian.ts";
import { guestSuite } from "./suite.ts";

guestSuite("a whole distribution", ["test/root/unpacked-tree.test.ts"], {
  tests: 1,
  only: ["overlay gzip"],
  tools: [...debianNeeds.tools, "docker-registry", "skopeo", "getfattr"],
  fixtures: [debianLayout],
});
