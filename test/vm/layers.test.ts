/** Layers and snapshots in the second kernel, whose overlay takes all lower directories in one page of mount options. */
import { guestSuite } from "./suite.ts";

guestSuite("snapshots", ["test/contract/snapshot.test.ts", "test/root/unpack-breakout.test.ts"], {
  tests: 200,
  except: {
    "unpacked again by": "attributes of users, which a tmpfs of this Linux has not",
    "the same tree is the same bytes": "the same",
    "owners, mapped": "idmapped mounts, which a tmpfs has from Linux 6.3 on",
  },
});
