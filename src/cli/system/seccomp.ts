import { visibleJson } from "../../base/visible.ts";
import { Option, RtCommand, type Usage } from "../command.ts";

export default class SystemSeccompCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Show which system calls are let through",
    details: `
      Of a container, as its capabilities and this machine have it; without CONTAINER of a new one that asks for nothing, and
      what each capability adds. With --json it is a profile as Docker's are: a file that can be changed, and given to
      --security-opt seccomp=FILE.
    `,
    examples: [
      ["A profile of one's own", "$0 system seccomp --json > profile.json"],
      ["What web may do", "$0 system seccomp web"],
    ],
  };

  json = Option.Boolean("--json", false, { description: "As a profile" });
  container = Option.String({ name: "CONTAINER", required: false });

  override async execute(): Promise<number> {
    const engine = await this.engine({ needsRoot: this.container !== undefined });
    const { source, profile, here, unknown } = await engine.system.seccomp(this.container);
    const { stdout } = this.context;
    if (this.json) stdout.write(`${numbers(visibleJson(profile, 2))}\n`);
    else {
      const { seccompText } = await import("../format/seccomp.ts");
      stdout.write(seccompText(source, here, unknown));
    }
    return 0;
  }
}

/** Values of 64 bits are kept as their digits, and in the file are numbers. */
function numbers(json: string): string {
  return json.replace(/^( *"value(?:Two)?": )"(\d+)"(,?)$/gm, "$1$2$3");
}
