import { Option } from "../command.ts";

/** Docker's flag of all that ask a registry, and podman's. */
export const insecureFlags = {
  insecure: () => Option.Boolean("--insecure", false, { description: "As --tls-verify=false" }),
  tlsVerify: () =>
    Option.Boolean("--tls-verify", true, {
      description: "Insist on TLS that verifies (default true); =false allows plain http too",
    }),
};
