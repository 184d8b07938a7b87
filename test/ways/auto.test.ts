/** What root has whose configuration gives each container a user namespace of its own. */
import { attacks, cli } from "./files.ts";
import { waySuite } from "./suite.ts";

const hostRights = "--privileged gives all capabilities there are, over the container's own namespace";
const refused =
  "--privileged, and --network host, are refused where the configuration gives each its own ids";

waySuite("auto", "run and exec", cli("run", "exec"), {
  tests: 48,
  except: {
    "namespaces of its own, but": "the user namespace is not the host's either",
    "mounts of the conventions": "the tmpfs of /dev names the container's root by his number on the host",
    "and anyone binds port 80": "ping's groups reach as far as the container has any",
    "--privileged has what the host gives": hostRights,
  },
});

waySuite("auto", "lifecycle", cli("stop", "rm", "kill", "pause"), { tests: 34 });

waySuite("auto", "files of containers", cli("diff", "commit", "export", "volumes-from"), { tests: 22 });

waySuite("auto", "attacks", attacks("kernel-files", "isolation", "identity"), {
  tests: 48,
  except: {
    "no cgroup file opens for writing": refused,
    "no mount, remount or umount is allowed": refused,
    "what is masked is /dev/null": refused,
    "/dev has the default devices": refused,
    "with --network host no abstract socket": refused,
    "run and in exec --privileged": refused,
    "each container has a session keyring": refused,
    "the program has descriptors 0-2": refused,
    "what is read-only takes no writes": "files of the host's root are nobody's in there: EACCES comes first",
    "nobody but root walks the store": "the scratch of a run in a way is root's alone",
    "numbers of users are exact": "a number beyond the container's ids is an error",
    "that is no file is an error": "a file of /proc that is the host's root's cannot even be opened",
  },
});
