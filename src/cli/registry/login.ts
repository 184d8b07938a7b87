import { RtError } from "../../base/errors.ts";
import { invalid } from "../../base/invalid.ts";
import { visible } from "../../base/visible.ts";
import type { Engine } from "../../engine/engine.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { dockerStatus } from "../output/docker-status.ts";
import { promptLine, promptSecret, readSecretInput } from "../output/prompt.ts";
import { messageOf } from "../output/report.ts";
import { isTerminal } from "../session.ts";

export default class LoginCommand extends RtCommand {
  static override usage: Usage = {
    category: "Registries",
    description: "Log in to a registry",
    details: `
      SERVER is a registry's host ("ghcr.io", "registry.lan:5000"); Docker Hub unless it is given. The password is kept only
      after the registry has taken it: at the credential helper that config.json names (credsStore, credHelpers), else in
      that file itself: $DOCKER_CONFIG/config.json or ~/.docker/config.json, where docker reads it too.
    `,
    examples: [
      ["Docker Hub", "$0 login -u me"],
      ["From a script", "$0 login -u me --password-stdin registry.example.org < token"],
    ],
  };

  username = Option.String("-u,--username", { description: "`USER` Username" });
  password = Option.String("-p,--password", {
    description: "`PASSWORD` Password or token; others can see it",
  });
  passwordStdin = Option.Boolean("--password-stdin", false, {
    description: "Take the password or token from stdin",
  });
  tlsVerify = Option.Boolean("--tls-verify", true, {
    description: "Insist on TLS that verifies (default true); =false allows plain http too",
  });

  server = Option.String({ name: "SERVER", required: false });

  override async execute(): Promise<number> {
    const { stdout, stderr } = this.context;
    this.#check();
    if (this.password !== undefined)
      stderr.write("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    const password = this.passwordStdin ? readSecretInput() : this.password;
    if (password === "") throw invalid("password is empty");
    const engine = await this.engine();
    const unencryptedIn =
      (await this.#withStored(engine, password)) ??
      (await this.#loginAs(engine, await this.#ask(engine, password)));
    if (unencryptedIn) stderr.write(unencrypted(unencryptedIn));
    stdout.write("Login Succeeded\n");
    return 0;
  }

  #check(): void {
    if (this.passwordStdin && this.password !== undefined)
      throw invalid("conflicting options: cannot specify both --password and --password-stdin");
    if (this.passwordStdin && this.username === undefined)
      throw invalid("the --password-stdin option requires --username to be set");
    if (this.username?.trim() === "") throw invalid("username is empty");
    if (this.password === "") throw invalid("password is empty");
  }

  /** Nobody is named and somebody is logged in: it may be that all is well. @returns undefined where that was nothing */
  async #withStored(engine: Engine, password: string | undefined): Promise<string | undefined> {
    if (this.username !== undefined || password !== undefined) return undefined;
    const stored = await dockerStatus(engine.registry.account(this.server));
    if (!stored?.hasPassword) return undefined;
    const { stderr } = this.context;
    stderr.write(`Authenticating with existing credentials... [Username: ${visible(stored.username)}]\n\n`);
    stderr.write(" Info -> To login with a different account, run 'rt logout' followed by 'rt login'\n\n\n");
    try {
      return await this.#loginAs(engine, undefined);
    } catch (error) {
      if (!(error instanceof RtError) || error.code === "cancelled") throw error;
      const isRefused = error.code === "unauthorized";
      const told = isRefused
        ? "Stored credentials invalid or expired"
        : `Login did not succeed, error: ${messageOf(error)}`;
      stderr.write(`${told}\n`);
      return undefined;
    }
  }

  async #ask(engine: Engine, given: string | undefined): Promise<{ username: string; password: string }> {
    let username = this.username?.trim();
    if ((username === undefined || given === undefined) && !isTerminal(0))
      throw invalid("cannot perform an interactive login from a non-TTY device: use -u and --password-stdin");
    if (username === undefined) {
      const known = given === undefined ? await engine.registry.account(this.server) : undefined;
      const before = known ? ` (${visible(known.username)})` : "";
      username = promptLine(this.context, `Username${before}: `)?.trim() || known?.username;
      if (!username) throw new RtError("invalid-argument", "username is required", { exitCode: 1 });
    }
    const password = given ?? (await promptSecret(this.context, "Password: "));
    if (password === "") throw new RtError("invalid-argument", "password is required", { exitCode: 1 });
    return { username, password };
  }

  /** @returns the file that the password is in, or "" */
  async #loginAs(engine: Engine, given: { username: string; password: string } | undefined): Promise<string> {
    const { server, tlsVerify } = this;
    const { unencryptedIn } = await dockerStatus(engine.registry.login({ server, given, tlsVerify }));
    return unencryptedIn ?? "";
  }
}

function unencrypted(file: string): string {
  return `
WARNING! Your credentials are stored unencrypted in '${visible(file)}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

`;
}
