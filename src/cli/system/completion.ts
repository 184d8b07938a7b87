import { invalid, quote } from "../../base/invalid.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { completionScripts } from "../completion/scripts.ts";

export default class CompletionCommand extends RtCommand {
  static override usage: Usage = {
    category: "System",
    description: "Print what makes a shell complete rt's words: bash, zsh or fish",
    details: "Commands, flags, their values, and the names of containers, images and volumes that there are.",
    examples: [
      ["In this shell, from ~/.bashrc, or for everybody", "source <($0 completion bash)"],
      ["", "$0 completion fish >~/.config/fish/completions/rt.fish"],
    ],
  };

  shell = Option.String({ name: "SHELL" });

  override async execute(): Promise<number> {
    const script = Object.hasOwn(completionScripts, this.shell) ? completionScripts[this.shell] : undefined;
    if (script === undefined)
      throw invalid(
        `invalid shell ${quote(this.shell)}: want one of ${Object.keys(completionScripts).join(", ")}`,
      );
    // Shells complete the word that is typed.
    this.context.stdout.write(script.replace(/(?<![A-Za-z0-9])rt(?![A-Za-z0-9])/g, this.context.program));
    return 0;
  }
}
