import { visible } from "../../base/visible.ts";
import type { RequestLine } from "../../engine/registry/serve.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { LogOutput } from "../output/output.ts";

export default class RegistryServeCommand extends RtCommand {
  static override usage: Usage = {
    category: "Registry",
    description: "Serve the images here as a registry, and take what is pushed",
    details: `
      The OCI distribution protocol over this host's own store, until SIGINT or SIGTERM: what was pulled, loaded or committed here
      can be pulled from here, and what is pushed is an image here. library/debian is the local debian, team/web is team/web,
      ghcr.io/a/b is ghcr.io/a/b. docs/registry.md says more.

      With --upstream it is a mirror: what is missing of that registry's images is fetched once and kept, and they cannot be
      pushed to. Credentials for it are this host's own.
    `,
    examples: [
      ["On this machine", "$0 registry serve"],
      [
        "For others, with users",
        "$0 registry serve --listen :5000 --tls-cert c.pem --tls-key k.pem --htpasswd users",
      ],
      ["A mirror of Docker Hub", "$0 registry serve --upstream https://registry-1.docker.io"],
    ],
  };

  listen = Option.String("--listen", "127.0.0.1:5000", {
    description: "`ADDRESS:PORT` Where to listen (default 127.0.0.1:5000; port 0 is any that is free)",
  });
  readOnly = Option.Boolean("--read-only", false, { description: "Take no pushes and no deletions" });
  tlsCert = Option.String("--tls-cert", { description: "`FILE` Certificate and its chain, PEM" });
  tlsKey = Option.String("--tls-key", { description: "`FILE` Its key, PEM" });
  htpasswd = Option.String("--htpasswd", {
    description: "`FILE` Users who may, with bcrypt hashes, as htpasswd -B writes it",
  });
  upstream = Option.String("--upstream", { description: "`URL` Be a mirror of this registry" });
  insecure = Option.Boolean("--insecure", false, { description: "Let other machines ask without TLS" });
  quiet = Option.Boolean("-q,--quiet", false, { description: "Do not tell of each request" });

  override async execute(): Promise<number> {
    const { stdout } = this.context;
    const stderr = new LogOutput(this.context.stderr);
    this.context = { ...this.context, stderr };
    const engine = await this.engine({ needsRoot: true });
    await engine.registry.serve({
      listen: this.listen,
      readOnly: this.readOnly,
      tlsCert: this.tlsCert,
      tlsKey: this.tlsKey,
      htpasswd: this.htpasswd,
      upstream: this.upstream,
      insecure: this.insecure,
      onListening: (address) => stdout.write(`listening on ${address}\n`),
      onRequest: (line) => {
        if (!this.quiet) stderr.write(`${requestLine(line)}\n`);
      },
    });
    return 0;
  }
}

const pathShown = 300;

function requestLine({ client, method, path, status, duration_ms }: RequestLine): string {
  const time = new Date().toISOString();
  return visible(
    `${time} ${client} ${method} ${path.slice(0, pathShown)} ${status} ${duration_ms.toFixed(1)}ms`,
  );
}
