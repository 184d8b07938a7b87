/** What an ordinary user has who has no subordinate ids: in his containers there is one user, who is root there. */
import { cli } from "./files.ts";
import { waySuite } from "./suite.ts";

waySuite("single", "run", cli("run"), {
  tests: 15,
  except: {
    "identity: pid 1": "there are no groups but his own",
    "namespaces of its own, but": "the user namespace is his, not the host's",
    "mounts of the conventions": "the tmpfs of /dev names the container's root by his number on the host",
    "devices and links of /dev": "devices are the host's, bound; there root's are nobody's",
    "and anyone binds port 80": "ping's groups are one; his default network is a stack of his own",
    "in its own cgroup": "nothing of the cgroups is delegated to him",
  },
});

waySuite("single", "exec", cli("exec"), {
  tests: 20,
  except: {
    ": -u": "there is no user but root",
    "-u of root drops": "there is no user but root",
    "a session can be inspected": "it is another user's",
    "--privileged has what the host gives":
      "--privileged gives all capabilities there are, over his user namespace",
  },
});
