/** What an ordinary user has who has subordinate ids; no part of the host's cgroups is delegated to him. */
import { attacks, cli } from "./files.ts";
import { waySuite } from "./suite.ts";

const noGroup = "nothing of the cgroups is delegated to him, so that a container has no group of its own";
const canary = "the tests' canary is root's, and all in the scratch of a run in this way becomes the user's";

waySuite("user", "run and exec", cli("run", "exec"), {
  tests: 46,
  except: {
    "namespaces of its own, but": "the user namespace is his, not the host's",
    "mounts of the conventions": "the tmpfs of /dev names the container's root by his number on the host",
    "devices and links of /dev": "devices are the host's, bound; there root's are nobody's",
    "and anyone binds port 80":
      "ping's groups reach as far as he has any; his default network is a stack of his own",
    "in its own cgroup": noGroup,
    "--privileged has what the host gives":
      "--privileged gives all capabilities there are, over his user namespace",
  },
});

waySuite("user", "lifecycle", cli("stop", "rm", "kill"), {
  tests: 30,
  except: { "a paused container": `${noGroup}: it cannot be paused` },
});

waySuite("user", "volumes and images", cli("volume", "commit"), {
  tests: 22,
  except: { "stands still meanwhile": `${noGroup}: it goes on while it is committed, with a warning` },
});

waySuite("user", "attacks", attacks("kernel-files", "isolation", "identity"), {
  tests: 45,
  except: {
    "mounted over /proc and /sys:": canary,
    "an image whose /(proc|sys) is": canary,
    "masks lie where they should": canary,
    "a mount of the user's or a VOLUME": canary,
    "a user database that is a link": canary,
    "what the image says of itself": canary,
    "no cgroup file opens for writing": noGroup,
    "nothing of the image is run or loaded": `${noGroup}: it cannot be paused`,
    "what is read-only takes no writes": "files of the host's root are nobody's in there: EACCES comes first",
    "/dev has the default devices": "no node can be made in a user namespace, with MKNOD neither",
    "numbers of users are exact": "a number beyond the user's ids is an error",
    "that is no file is an error": "an image's device nodes are left out",
  },
});
