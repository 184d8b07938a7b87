/** Running and killing containers in the second kernel, on overlay and on copies. */
import { guestSuite } from "./suite.ts";

guestSuite("run and kill", ["test/cli/run.test.ts", "test/cli/kill.test.ts"], {
  tests: 29,
  except: { "the network default": "User-Mode Linux has nftables for bridges alone" },
});

guestSuite("the copy driver", ["test/cli/run.test.ts"], {
  tests: 3,
  only: ["writes is its own", "root of the container", "identity"],
  env: { RT_STORAGE_DRIVER: "copy" },
});
