/** Network drivers where the kernel has all kinds of interfaces: ipvlan, tags, interfaces with nothing behind them. */
import { networkTools } from "../support/network-host.ts";
import { guestSuite } from "./suite.ts";
import { networkModules } from "./uml.ts";

const contract = ["test/contract/network/network.test.ts"];
const options = {
  tools: networkTools,
  guest: { modules: [...networkModules, "macvlan", "ipvlan", "dummy", "8021q"] },
};

guestSuite("ipvlan on the wire", contract, {
  ...options,
  tests: 3,
  only: ["^ipvlan l2: (an interface|neighbours|what somebody)"],
});

guestSuite("ipvlan behind the host", contract, {
  ...options,
  tests: 3,
  only: ["^ipvlan l3: (an interface|what somebody)", "^ipvlan l3s: neighbours"],
});

guestSuite("macvlan, and interfaces with tags", [...contract, "test/cli/network-parents.test.ts"], {
  ...options,
  tests: 3,
  only: ["^macvlan: (what somebody|neighbours)", "with a tag"],
});
