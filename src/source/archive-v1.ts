import { RtError } from "../base/errors.ts";
import { compressionOf } from "../oci/compression.ts";
import type { Digest } from "../oci/digest.ts";
import { commandIn } from "../oci/image-config.ts";
import { fieldsIn, folded, objectIn, optionalIn, parseJson, shown, stringIn, textIn } from "../oci/json.ts";
import { type Archive, fileDigest, headOf } from "./archive-files.ts";
import { readWhole } from "./layout.ts";

/** An image as docker 1.2 to 1.9 wrote it: a layer that knows the one below it. */
export interface V1Image {
  names: string[];
  /** Its config as of today, and the layers' files, bottom first. Reads each layer once: nobody has said what their diffIDs are. */
  converted(): Promise<{ config: Uint8Array; layers: string[] }>;
}

interface V1Layer {
  parent: string | undefined;
  /** It changed nothing, and its archive does not count. */
  isEmpty: boolean;
  history: Record<string, unknown>;
}

/** Of all `json` files together; an honest one has a few kilobytes. */
const documentsMax = 64 << 20;

/**
 * The images of an archive of docker's image spec v1.0 to v1.2, which is:
 *
 *   <id>/json        config, and the parent's id
 *   <id>/layer.tar
 *   <id>/VERSION
 *   repositories     {"name": {"tag": "<id>"}}; it comes last, so that an archive that has it is not cut short
 *
 * Those that have a name, and those that are nobody's parent.
 * @throws RtError data-loss: a name leads nowhere, layers in a circle; exhausted
 */
export async function v1Images(files: Archive): Promise<V1Image[]> {
  const names = await namesIn(files);
  const layers = await layersIn(files);
  const known = new Map<string, Digest>();
  for (const [id, [name = ""]] of names)
    if (!layers.has(id))
      throw new RtError("data-loss", `${files.name}: ${id}/json of ${shown(name)} does not exist`);
  const parents = new Set([...layers.values()].map(({ parent }) => parent));
  const heads = [...layers.keys()].filter((id) => !parents.has(id) && !names.has(id));
  return [...names.keys(), ...heads].map((id) => ({
    names: names.get(id) ?? [],
    converted: () => convert(files, id, layers, known),
  }));
}

function idsIn(files: Archive): string[] {
  return files.names().flatMap((name) => /^([0-9a-f]{64})\/json$/.exec(name)?.[1] ?? []);
}

/** By the id that they lead to, in the order in which they stand there. */
async function namesIn(files: Archive): Promise<Map<string, string[]>> {
  const names = new Map<string, string[]>();
  const what = `${files.name}: repositories`;
  const repositories = objectIn(parseJson(await readWhole(files, "repositories", files.name), what), what);
  for (const [repository, tags] of Object.entries(repositories)) {
    for (const [tag, target] of Object.entries(objectIn(tags ?? {}, what))) {
      const id = stringIn(target, what);
      if (!/^[0-9a-f]{64}$/.test(id))
        throw new RtError("data-loss", `${what}: an ID there is not 64 hex digits`);
      names.set(id, [...(names.get(id) ?? []), `${repository}:${tag}`]);
    }
  }
  return names;
}

async function layersIn(files: Archive): Promise<Map<string, V1Layer>> {
  const layers = new Map<string, V1Layer>();
  let size = 0;
  for (const id of idsIn(files)) {
    size += await files.sizeOf(`${id}/json`);
    if (size > documentsMax)
      throw new RtError(
        "exhausted",
        `${files.name} has more than ${documentsMax} bytes of json files: refused`,
      );
    const { field, text, what } = await documentOf(files, id);
    const made = optionalIn(field("container_config"), `${what}: container_config`, (value) => {
      return optionalIn(fieldsIn(value, what)("Cmd"), `${what}: Cmd`, commandIn);
    });
    const isEmpty = field("throwaway") === true;
    const history = {
      created: text("created"),
      author: text("author"),
      created_by: made?.join(" ") || undefined,
      comment: text("comment"),
      empty_layer: isEmpty || undefined,
    };
    layers.set(id, { parent: text("parent"), isEmpty, history });
  }
  return layers;
}

async function documentOf(files: Archive, id: string) {
  const what = `${files.name}: ${id}/json`;
  const document = objectIn(parseJson(await readWhole(files, `${id}/json`, files.name), what), what);
  const field = fieldsIn(document, what);
  const text = (key: string) => optionalIn(field(key), `${what}: ${key}`, textIn) || undefined;
  return { document, field, text, what };
}

/** What a config has no use for, or what is put there anew. */
const left = new Set(["id", "parent", "size", "parent_id", "layer_id", "throwaway", "rootfs", "history"]);

/** As docker's MakeConfigFromV1Config: the topmost layer's json with rootfs and history, in its order, so that the ID is docker's. */
async function convert(
  files: Archive,
  id: string,
  all: ReadonlyMap<string, V1Layer>,
  known: Map<string, Digest>,
): Promise<{ config: Uint8Array; layers: string[] }> {
  const chain = chainOf(files, id, all);
  const layers = chain.filter(([, { isEmpty }]) => !isEmpty).map(([each]) => `${each}/layer.tar`);
  const diffIDs: Digest[] = [];
  for (const layer of layers) diffIDs.push(await diffIDOf(files, layer, known));
  const { document } = await documentOf(files, id);
  const config: Record<string, unknown> = {
    ...Object.fromEntries(Object.entries(document).filter(([key]) => !left.has(folded(key)))),
    history: chain.map(([, { history }]) => history),
    rootfs: { type: "layers", diff_ids: diffIDs },
  };
  const sorted = Object.fromEntries(Object.entries(config).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { config: new TextEncoder().encode(goJson(sorted)), layers };
}

/** Bottom first. */
function chainOf(files: Archive, top: string, all: ReadonlyMap<string, V1Layer>): [id: string, V1Layer][] {
  const chain = new Map<string, V1Layer>();
  for (let id: string | undefined = top; id !== undefined; ) {
    const layer = all.get(id);
    if (!layer) {
      const child = [...chain.keys()].at(-1);
      throw new RtError("data-loss", `${files.name}: the parent of ${child} does not exist`);
    }
    if (chain.has(id)) throw new RtError("data-loss", `${files.name}: the parents of ${top} form a circle`);
    chain.set(id, layer);
    id = layer.parent;
  }
  return [...chain].toReversed();
}

/** Go writes these as escapes. */
function goJson(value: unknown): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escaped);
}

/** @param known of layers that were read already, as several images may have one */
async function diffIDOf(files: Archive, layer: string, known: Map<string, Digest>): Promise<Digest> {
  const before = known.get(layer);
  if (before) return before;
  if (compressionOf(await headOf(files, layer)) !== "tar")
    throw new RtError("unsupported", `${files.name}: ${layer} is compressed, as docker never wrote it`);
  const diffID = await fileDigest(files, layer);
  known.set(layer, diffID);
  return diffID;
}
