import { Option, RtCommand, type Usage } from "../command.ts";
import { dockerStatus } from "../output/docker-status.ts";
import { insecureFlags } from "./insecure.ts";

export default class ManifestPushCommand extends RtCommand {
  static override usage: Usage = {
    category: "Manifests",
    description: "Send a list and its images to a registry",
    details: `
      The images go to the list's own repository: what is at the same registry is mounted there, what is elsewhere is copied.
      DESTINATION is where the list's name leads unless it is given: another name, or oci:DIRECTORY[:TAG].
    `,
    examples: [["And forget it here", "$0 manifest push --purge registry.example.org/team/app:2"]],
  };

  insecure = insecureFlags.insecure();
  purge = Option.Boolean("-p,--purge", false, { description: "Remove the list here afterwards" });
  tlsVerify = insecureFlags.tlsVerify();

  list = Option.String({ name: "LIST" });
  destination = Option.String({ name: "DESTINATION", required: false });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: true });
    const { destination, purge } = this;
    const tlsVerify = this.tlsVerify && !this.insecure;
    const pushed = await dockerStatus(engine.manifest.push(this.list, { destination, purge, tlsVerify }));
    for (const { reference, digest } of pushed.references)
      this.context.stdout.write(`Pushed ref ${reference} with digest: ${digest}\n`);
    this.context.stdout.write(`${pushed.digest}\n`);
    return 0;
  }
}
