import { invalid } from "../../base/invalid.ts";
import type { PathStat } from "../../docker/path-stat.ts";
import type { BodyWriter } from "../../http/server.ts";
import type { ApiCall } from "../call.ts";
import { usualFields } from "../fields.ts";
import { outputTo } from "../streams.ts";

/** HEAD /containers/{name}/archive */
export async function headContainerArchive(call: ApiCall): Promise<void> {
  const stat = await call.engine.container.stat(call.param("name"), pathIn(call));
  call.exchange.answer(200, [...usualFields(), statField(stat)]);
}

/** GET /containers/{name}/archive */
export async function getContainerArchive(call: ApiCall): Promise<void> {
  const [name, path] = [call.param("name"), pathIn(call)];
  const stat = await call.engine.container.stat(name, path);
  const fields = [...usualFields(), ["Content-Type", "application/x-tar"] as const, statField(stat)];
  const body = new LateBody(() => call.exchange.stream(200, fields));
  const engine = call.engineFor({ stdio: outputTo(call, (_, bytes) => body.write(bytes)) });
  await engine.container.copyFrom(name, path, { to: undefined, archive: true, followLink: false });
  body.end();
}

/** PUT /containers/{name}/archive. A directory is never replaced by a file, nor a file by a directory: noOverwriteDirNonDir or not. */
export async function putContainerArchive(call: ApiCall): Promise<void> {
  const [name, path] = [call.param("name"), pathIn(call)];
  const stdio = { kind: "streams", stdin: call.body, output: () => undefined } as const;
  await call.engineFor({ stdio }).container.copyTo(name, path, { from: undefined, followLink: false });
  call.answer(200);
}

/** GET /containers/{name}/export */
export async function getContainerExport(call: ApiCall): Promise<void> {
  const body = new LateBody(() => call.stream("application/octet-stream"));
  const engine = call.engineFor({ stdio: outputTo(call, (_, bytes) => body.write(bytes)) });
  await engine.container.export(call.param("name"));
  body.end();
}

/** An answer that begins with its first byte: until then it may become a failure's. */
class LateBody {
  readonly #begin: () => BodyWriter;
  #writer: BodyWriter | undefined;

  constructor(begin: () => BodyWriter) {
    this.#begin = begin;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#writer ??= this.#begin();
    return this.#writer.write(bytes);
  }

  end(): void {
    this.#writer ??= this.#begin();
    this.#writer.end();
  }
}

function pathIn({ query }: ApiCall): string {
  const path = query.text("path");
  if (path === "") throw invalid("bad parameter: 'path' cannot be empty");
  return path;
}

function statField(stat: PathStat): readonly [string, string] {
  return ["X-Docker-Container-Path-Stat", Buffer.from(JSON.stringify(stat)).toString("base64")];
}
