import { humanSize } from "../../base/human-size.ts";
import { invalid } from "../../base/invalid.ts";
import { visible } from "../../base/visible.ts";
import { Option, type Usage } from "../command.ts";
import { ContainerFlags } from "../container/container-flags.ts";
import { programFlags } from "../container/program-flags.ts";
import { runOptions } from "../container/run-options.ts";
import { withProfile } from "../container/seldom-options.ts";
import { grammarOf } from "../grammar/grammar.ts";
import { readKeyValueFile } from "../parse/env.ts";

export default class PackCommand extends ContainerFlags {
  static override usage: Usage = {
    category: "Images",
    description: "Make one executable file of rt and an image",
    details: `
      The file runs on any Linux host of this architecture, as root, and needs nothing else there: no network, no rt.
      "./app ARG..." is "rt run --rm -i IMAGE ARG...", with -t when it is started on a terminal (--rm=false, -i=false and
      -t=false take that away). ARG... replaces COMMAND, which replaces the image's own; --entrypoint sets what stays.
      rt itself is not changed.

      The options are those of rt run, and are kept in the file. What they name is looked up where the app is started:
      "-e KEY" takes the variable, and -v the directory, of whoever starts it. Only --env-file, --label-file and the file
      of --security-opt seccomp= are read now. "-o FILE" may also follow IMAGE.

      "rt pack --check FILE" reads an app and says whether it is as it was packed.

      At its first start on a host the app unpacks its image into rt's store there (RT_ROOT, or /var/lib/rt); later ones
      are as quick as rt run. With RT_APP=0 in its environment the file is an ordinary rt, to look after what it
      runs, and the image in it is called embed:packed there.
    `,
    examples: [
      ["A tool, and its use", "$0 pack -o jq --entrypoint jq example.org/jq:1.7"],
      ["", "echo '{\"a\":1}' | sudo ./jq .a"],
      [
        "A server on the host's network, and a directory of the host",
        "$0 pack --network host -v /srv/www:/www --read-only -o web busybox httpd -f -h /www",
      ],
      ["See what the app runs, and look into it", "sudo RT_APP=0 ./web ps"],
      ["", "sudo RT_APP=0 ./web exec -it NAME sh"],
    ],
  };

  detachKeys = programFlags.detachKeys();
  sigProxy = programFlags.sigProxy();

  output = Option.String("-o,--output", { description: "`FILE` Write the app to this file" });

  check = Option.Boolean("--check", false, {
    description: "Only see whether the app whose file stands in IMAGE's place is whole",
  });

  override async execute(): Promise<number> {
    if (this.check) return await this.#check();
    this.#takeOutput();
    const { output } = this;
    if (output === undefined)
      throw invalid("pack needs -o FILE: where to write the app  (see rt pack --help)");
    const contents = this.#takeFiles();
    const { image, pull, settings } = runOptions(this, this.context.caller, this.pullListener());
    const flags = [...contents, ...this.#flags()];
    const engine = await this.engine({ needsRoot: true });
    const { command } = settings;
    const packed = await engine.image.pack({ image, pull, command, output, flags });
    if (!this.quiet) this.context.stdout.write(`${output}: ${humanSize(packed.size)}, ${packed.image.id}\n`);
    return 0;
  }

  async #check(): Promise<number> {
    if (this.output !== undefined) throw invalid("pack --check FILE reads FILE, and -o would write one");
    const [more] = this.command;
    if (more !== undefined) throw invalid(`pack --check reads one FILE, got ${visible(more)} as well`);
    const { checkApp } = await import("../../engine/app/check.ts");
    const id = await checkApp(this.image);
    this.context.stdout.write(`${this.image}: whole, with the image ${id}\n`);
    return 0;
  }

  /** `rt pack IMAGE -o FILE`: the one flag that may stand behind the image, unless it was there before. */
  #takeOutput(): void {
    const [first = ""] = this.command;
    const [, attached] = /^(?:-o=?|--output=)(.+)$/s.exec(first) ?? [];
    if (this.output !== undefined || !(attached || first === "-o" || first === "--output")) return;
    this.output = attached ?? this.command[1];
    this.command = this.command.slice(attached ? 1 : 2);
  }

  /** What is in files of now takes their names' place: once, as a pipe has it once. @returns flags that say the same */
  #takeFiles(): string[] {
    const { caller } = this.context;
    const entries = this.envFiles.flatMap((file) => readKeyValueFile(file, "--env-file", caller));
    const labels = this.labelFiles.flatMap((file) => readKeyValueFile(file, "--label-file", undefined));
    this.env = [...entries, ...this.env];
    this.labels = [...labels, ...this.labels];
    this.securityOptions = this.securityOptions.map(withProfile);
    [this.envFiles, this.labelFiles] = [[], []];
    return [...entries.map((entry) => `--env=${entry}`), ...labels.map((entry) => `--label=${entry}`)];
  }

  /** What was given of run's flags and is for the container, spelt out so that run can parse it again. */
  #flags(): string[] {
    const flags: string[] = [];
    const security = this.securityOptions.values();
    const { byName } = grammarOf(new PackCommand());
    for (const { name, value } of this.given) {
      const long = byName.get(name)?.names.find((spelling) => spelling.startsWith("--"));
      const isMeant = long !== undefined && !forPacking.has(long) && !(value === true && always.has(long));
      if (isMeant) flags.push(`${long}=${long === "--security-opt" ? security.next().value : value}`);
    }
    return flags;
  }
}

/** Flags that are used up by packing, and those that say where rt has its things here. */
const forPacking: ReadonlySet<string> = new Set([
  ...["--env-file", "--label-file", "--platform", "--pull", "--quiet", "--output", "--check"],
  ...["--root", "--state", "--config", "--storage-driver", "--log-level", "--debug"],
]);

/** What an app has anyway, -t on a terminal; only `=false` says something. */
const always: ReadonlySet<string> = new Set(["--rm", "--interactive", "--tty"]);
