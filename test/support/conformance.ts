/**
 * The conformance suite of the OCI distribution specification 1.1.1 (its directory conformance/, four categories), case by case
 * and in its order, for a registry at a URL. A case is one `Specify` there; what is only its set-up is one, too.
 *
 *   const report = await conformance("http://127.0.0.1:5000");
 *   report.filter((each) => each.error)      // [{ category: "push", name: "…", error: "201 wanted, 500 came" }]
 */
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-types.ts";

export interface ConformanceCase {
  category: "pull" | "push" | "content discovery" | "content management";
  name: string;
  error?: string;
}

type Status = number | readonly number[] | "2xx";

interface Asked {
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

interface Blob {
  bytes: Uint8Array;
  digest: string;
}

const octets = { "Content-Type": "application/octet-stream" };
const accept = { Accept: mediaTypes.ociManifest };
const deleted = [200, 201, 202, 203, 204, 404, 405];
const deletedOrNot = [200, 201, 202, 203, 204, 405];
const errorCodes = new Set(
  "BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID MANIFEST_UNKNOWN NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS".split(
    " ",
  ),
);
const absent = digestOf("hello world");
const tagName = "tagtest0";
const annotation = "org.opencontainers.conformance.test";

export async function conformance(
  url: string,
  name = "myorg/myrepo",
  other = "myorg/other",
): Promise<ConformanceCase[]> {
  const suite = new Suite(url, name, other);
  await suite.pull();
  await suite.push();
  await suite.discovery();
  await suite.management();
  return suite.cases;
}

function blobOf(content: Uint8Array | string): Blob {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return { bytes, digest: digestOf(bytes) };
}

function describe({ bytes, digest }: Blob, mediaType: string) {
  return { mediaType, digest, size: bytes.length };
}

class Suite {
  readonly cases: ConformanceCase[] = [];
  #category: ConformanceCase["category"] = "pull";
  readonly #url: string;
  readonly #base: string;
  readonly #other: string;
  readonly #configs: Blob[];
  readonly #layer = blobOf(Buffer.from("H4sIAAAAAAAAA0vLzEm1UsgrTUzJLEpNAQAAAP//", "base64"));
  readonly #manifests: Blob[];

  constructor(url: string, name: string, other: string) {
    this.#url = url;
    this.#base = `/v2/${name}`;
    this.#other = `/v2/${other}`;
    this.#configs = [0, 1, 2, 3, 4].map((i) =>
      blobOf(
        JSON.stringify({
          architecture: "amd64",
          os: "linux",
          rootfs: { type: "layers", diff_ids: [] },
          author: `author ${i}`,
        }),
      ),
    );
    this.#manifests = this.#configs.map((config) =>
      this.#manifest(config, [describe(this.#layer, `${mediaTypes.ociLayerTar}+gzip`)]),
    );
  }

  #manifest(config: Blob, layers: object[]): Blob {
    const data = Buffer.from(config.bytes).toString("base64");
    const described = {
      ...describe(config, mediaTypes.ociConfig),
      data,
      newUnspecifiedField: "aGVsbG8gd29ybGQ=",
    };
    return blobOf(
      JSON.stringify(
        { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: described, layers },
        undefined,
        "\t",
      ),
    );
  }

  async #case(name: string, body: () => Promise<void>): Promise<void> {
    const each: ConformanceCase = { category: this.#category, name };
    this.cases.push(each);
    try {
      await body();
    } catch (error) {
      each.error = error instanceof Error ? error.message : String(error);
    }
  }

  async #ask(
    method: string,
    path: string,
    wanted: Status,
    { headers = {}, body }: Asked = {},
  ): Promise<Response> {
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers,
      redirect: "manual",
      ...(body !== undefined && { body }),
    });
    const bytes = await response.arrayBuffer();
    const { status } = response;
    const fits = wanted === "2xx" ? status >= 200 && status < 300 : [wanted].flat().includes(status);
    if (!fits)
      throw new Error(
        `${method} ${path}: ${wanted} wanted, ${status} came: ${Buffer.from(bytes).toString().slice(0, 200)}`,
      );
    return new Response([204, 304].includes(status) ? null : bytes, { status, headers: response.headers });
  }

  #is(what: string, found: unknown, wanted: unknown): void {
    if (found !== wanted) throw new Error(`${what} is ${String(found)}, not ${String(wanted)}`);
  }

  #location(response: Response): string {
    const location = response.headers.get("location");
    if (!location) throw new Error("there is no Location");
    return location;
  }

  async #start(base = this.#base): Promise<string> {
    return this.#location(
      await this.#ask("POST", `${base}/blobs/uploads/`, 202, { headers: { "Content-Length": "0" } }),
    );
  }

  #withDigest(location: string, digest: string): string {
    const url = new URL(location, this.#url);
    url.searchParams.set("digest", digest);
    return url.href;
  }

  async #upload(blob: Blob, wanted: Status = "2xx"): Promise<Response> {
    const where = this.#withDigest(await this.#start(), blob.digest);
    return this.#ask("PUT", where, wanted, { headers: octets, body: blob.bytes });
  }

  #putManifest(
    reference: string,
    manifest: Blob,
    wanted: Status = "2xx",
    type = mediaTypes.ociManifest as string,
  ) {
    const asked = { headers: { "Content-Type": type }, body: manifest.bytes };
    return this.#ask("PUT", `${this.#base}/manifests/${reference}`, wanted, asked);
  }

  #deleteManifest(reference: string, wanted: Status) {
    return this.#ask("DELETE", `${this.#base}/manifests/${reference}`, wanted);
  }

  #deleteBlob(blob: Blob, wanted: Status = deleted) {
    return this.#ask("DELETE", `${this.#base}/blobs/${blob.digest}`, wanted);
  }

  async pull(): Promise<void> {
    this.#category = "pull";
    const [config0, config1] = this.#configs as [Blob, Blob];
    const [manifest0, manifest1] = this.#manifests as [Blob, Blob];
    const set = async (name: string, body: () => Promise<unknown>) =>
      this.#case(name, async () => void (await body()));
    await set("Populate registry with test blob", () => this.#upload(config0));
    await set("Populate registry with test blob (2)", () => this.#upload(config1));
    await set("Populate registry with test layer", () => this.#upload(this.#layer));
    await set("Populate registry with test manifest", () => this.#putManifest(tagName, manifest0));
    await set("Populate registry with test manifest (2)", () =>
      this.#putManifest(manifest1.digest, manifest1),
    );
    const digestIs = (response: Response, digest: string) => {
      const header = response.headers.get("docker-content-digest");
      if (header !== null) this.#is("Docker-Content-Digest", header, digest);
    };
    await set("HEAD request to nonexistent blob should result in 404 response", () =>
      this.#ask("HEAD", `${this.#base}/blobs/${absent}`, 404),
    );
    await this.#case("HEAD request to existing blob should yield 200", async () =>
      digestIs(await this.#ask("HEAD", `${this.#base}/blobs/${config0.digest}`, 200), config0.digest),
    );
    await set("GET nonexistent blob should result in 404 response", () =>
      this.#ask("GET", `${this.#base}/blobs/${absent}`, 404),
    );
    await set("GET request to existing blob URL should yield 200", () =>
      this.#ask("GET", `${this.#base}/blobs/${config0.digest}`, 200),
    );
    for (const method of ["HEAD", "GET"]) {
      await set(`${method} nonexistent manifest should return 404`, () =>
        this.#ask(method, `${this.#base}/manifests/.INVALID_MANIFEST_NAME`, 404),
      );
      const places: [string, string, Blob][] = [
        ["manifest[0] path (digest)", manifest0.digest, manifest0],
        ["manifest[1] path (digest)", manifest1.digest, manifest1],
        ["manifest path (tag)", tagName, manifest0],
      ];
      for (const [what, reference, manifest] of places) {
        await this.#case(`${method} request to ${what} should yield 200 response`, async () =>
          digestIs(
            await this.#ask(method, `${this.#base}/manifests/${reference}`, 200, { headers: accept }),
            manifest.digest,
          ),
        );
      }
    }
    await this.#case("400 response body should contain OCI-conforming JSON message", async () => {
      const response = await this.#ask("GET", `${this.#base}/manifests/sha256:totallywrong`, [400, 404]);
      if (response.status !== 400) return;
      const { errors } = (await response.json()) as { errors: { code: string }[] };
      this.#is("a known code", errorCodes.has(errors[0]!.code), true);
    });
    await set("Delete config[0] blob created in setup", () => this.#deleteBlob(config0));
    await set("Delete config[1] blob created in setup", () => this.#deleteBlob(config1));
    await set("Delete layer blob created in setup", () => this.#deleteBlob(this.#layer));
    await set("Delete manifest[0] created in setup", () =>
      this.#deleteManifest(manifest0.digest, deletedOrNot),
    );
    await set("Delete manifest[1] created in setup", () =>
      this.#deleteManifest(manifest1.digest, deletedOrNot),
    );
  }

  async push(): Promise<void> {
    this.#category = "push";
    const config = this.#configs[1]!;
    const manifest = this.#manifests[1]!;
    const set = async (name: string, body: () => Promise<unknown>) =>
      this.#case(name, async () => void (await body()));
    const blobA = blobOf(crypto.getRandomValues(new Uint8Array(42)));
    let location = "";
    await this.#case("PATCH request with blob in body should yield 202 response", async () => {
      const asked = { headers: octets, body: blobA.bytes };
      location = this.#location(await this.#ask("PATCH", await this.#start(), 202, asked));
    });
    await this.#case("PUT request to session URL with digest should yield 201 response", async () => {
      this.#location(
        await this.#ask("PUT", this.#withDigest(location, blobA.digest), 201, { headers: octets }),
      );
    });
    await set("GET nonexistent blob should result in 404 response", () =>
      this.#ask("GET", `${this.#base}/blobs/${absent}`, 404),
    );
    let single = 0;
    await this.#case("POST request with digest and blob should yield a 201 or 202", async () => {
      const asked = { headers: octets, body: config.bytes };
      const path = `${this.#base}/blobs/uploads/?digest=${config.digest}`;
      const response = await this.#ask("POST", path, [201, 202], asked);
      this.#location(response);
      single = response.status;
    });
    await set(
      "GET request to blob URL from prior request should yield 200 or 404 based on response code",
      () => this.#ask("GET", `${this.#base}/blobs/${config.digest}`, single === 202 ? 404 : 200),
    );
    await this.#case("POST request should yield a session ID", async () => {
      location = await this.#start();
    });
    await this.#case("PUT upload of a blob should yield a 201 Response", async () => {
      const asked = { headers: octets, body: config.bytes };
      this.#location(await this.#ask("PUT", this.#withDigest(location, config.digest), 201, asked));
    });
    await set("GET request to existing blob should yield 200 response", () =>
      this.#ask("GET", `${this.#base}/blobs/${config.digest}`, 200),
    );
    await this.#case("PUT upload of a layer blob should yield a 201 Response", async () => {
      this.#location(await this.#upload(this.#layer, 201));
    });
    await set("GET request to existing layer should yield 200 response", () =>
      this.#ask("GET", `${this.#base}/blobs/${this.#layer.digest}`, 200),
    );
    await this.#chunked();
    await this.#mounts(blobA);
    await set("GET nonexistent manifest should return 404", () =>
      this.#ask("GET", `${this.#base}/manifests/.INVALID_MANIFEST_NAME`, 404),
    );
    await this.#case("PUT should accept a manifest upload", async () => {
      for (let i = 0; i < 4; i++) this.#location(await this.#putManifest(`test${i}`, manifest, 201));
    });
    const empty = this.#manifest(config, []);
    await set("Registry should accept a manifest upload with no layers", () =>
      this.#putManifest("emptylayer", empty, 201),
    );
    await set("GET request to manifest URL (digest) should yield 200 response", () =>
      this.#ask("GET", `${this.#base}/manifests/${manifest.digest}`, 200, { headers: accept }),
    );
    await set("Delete config blob created in tests", () => this.#deleteBlob(config));
    await set("Delete layer blob created in setup", () => this.#deleteBlob(this.#layer));
    await this.#case("Delete manifest created in tests", async () => {
      await this.#deleteManifest(manifest.digest, deletedOrNot);
      await this.#deleteManifest(empty.digest, deletedOrNot);
    });
  }

  async #chunked(): Promise<void> {
    const whole = blobOf(crypto.getRandomValues(new Uint8Array(42)));
    const [first, second] = [whole.bytes.subarray(0, 3), whole.bytes.subarray(3)];
    const [firstRange, secondRange] = ["0-2", "3-41"];
    const chunk = (body: Uint8Array, range: string) => ({
      headers: { ...octets, "Content-Range": range },
      body,
    });
    let [before, location] = ["", ""];
    await this.#case("Out-of-order blob upload should return 416", async () => {
      await this.#ask("PATCH", await this.#start(), 416, chunk(second, secondRange));
    });
    await this.#case("PATCH request with first chunk should return 202", async () => {
      before = await this.#start();
      const response = await this.#ask("PATCH", before, 202, chunk(first, firstRange));
      this.#is("Range", response.headers.get("range"), firstRange);
    });
    await this.#case("Retry previous blob chunk should return 416", async () => {
      await this.#ask("PATCH", before, 416, chunk(first, firstRange));
    });
    await this.#case("Get on stale blob upload should return 204 with a range and location", async () => {
      const response = await this.#ask("GET", before, 204);
      this.#is("Range", response.headers.get("range"), firstRange);
      location = this.#location(response);
    });
    await this.#case("PATCH request with second chunk should return 202", async () => {
      location = this.#location(await this.#ask("PATCH", location, 202, chunk(second, secondRange)));
    });
    await this.#case("PUT request with digest should return 201", async () => {
      this.#location(
        await this.#ask("PUT", this.#withDigest(location, whole.digest), 201, { headers: octets }),
      );
    });
  }

  async #mounts(blobA: Blob): Promise<void> {
    const uploads = `${this.#other}/blobs/uploads/`;
    await this.#case(
      "Cross-mounting of a blob without the from argument should yield session id",
      async () => {
        this.#location(await this.#ask("POST", `${uploads}?mount=${absent}`, 202));
      },
    );
    let mounted: Response | undefined;
    await this.#case("POST request to mount another repository's blob should return 201 or 202", async () => {
      const path = `${uploads}?mount=${blobA.digest}&from=${this.#base.slice("/v2/".length)}`;
      mounted = await this.#ask("POST", path, [201, 202]);
    });
    await this.#case(
      "GET request to test digest within cross-mount namespace should return 200",
      async () => {
        if (mounted?.status !== 201) return;
        const location = new URL(this.#location(mounted), this.#url).pathname;
        this.#is("Location", location, `${this.#other}/blobs/${blobA.digest}`);
        await this.#ask("GET", location, 200);
      },
    );
    await this.#case("Cross-mounting of nonexistent blob should yield session id", async () => {
      if (mounted?.status === 202) this.#location(mounted);
    });
  }

  async discovery(): Promise<void> {
    this.#category = "content discovery";
    const set = async (name: string, body: () => Promise<unknown>) =>
      this.#case(name, async () => void (await body()));
    const [config2, config4] = [this.#configs[2]!, this.#configs[4]!];
    const [manifest2, manifest3, manifest4] = this.#manifests.slice(2) as [Blob, Blob, Blob];
    await set("Populate registry with test blob", () => this.#upload(config2));
    await set("Populate registry with test layer", () => this.#upload(this.#layer));
    await this.#case("Populate registry with test tags", async () => {
      for (let i = 0; i < 4; i++) await this.#putManifest(`test${i}`, manifest2);
    });
    const referrers = new Referrers(manifest4, manifest3);
    await this.#case("References setup", async () => {
      for (const blob of [referrers.empty, config4, this.#layer]) await this.#upload(blob);
      await this.#putManifest(tagName, manifest4);
      for (const blob of [referrers.blobA, referrers.blobB]) await this.#upload(blob);
      for (const each of referrers.all) {
        const response = await this.#putManifest(each.manifest.digest, each.manifest, "2xx", each.mediaType);
        this.#is("OCI-Subject", response.headers.get("oci-subject"), each.subject);
      }
    });
    const list = `${this.#base}/tags/list`;
    let tags: string[] = [];
    await this.#case("GET request to list tags should yield 200 response", async () => {
      ({ tags } = (await (await this.#ask("GET", list, 200)).json()) as { tags: string[] });
    });
    await this.#case("GET number of tags should be limitable by `n` query parameter", async () => {
      const page = (await (await this.#ask("GET", `${list}?n=4`, 200)).json()) as { tags: string[] };
      this.#is("the number of tags", page.tags.length, 4);
    });
    await this.#case("GET start of tag is set by `last` query parameter", async () => {
      const page = (await (await this.#ask("GET", `${list}?n=4&last=${tags[3]}`, 200)).json()) as {
        tags: string[];
      };
      this.#is("at most four tags", page.tags.length <= 4, true);
      this.#is("those after the last", page.tags.includes(tags[3]!), false);
    });
    const referrersOf = async (digest: string, query = "") => {
      const response = await this.#ask("GET", `${this.#base}/referrers/${digest}${query}`, 200);
      this.#is("Content-Type", response.headers.get("content-type"), mediaTypes.ociIndex);
      const index = (await response.json()) as {
        manifests: { digest: string; annotations?: Record<string, string> }[];
      };
      return { response, manifests: index.manifests };
    };
    await this.#case("GET request to nonexistent blob should result in empty 200 response", async () => {
      this.#is("the number of referrers", (await referrersOf(absent)).manifests.length, 0);
    });
    await this.#case("GET request to existing blob should yield 200", async () => {
      const { manifests } = await referrersOf(manifest4.digest);
      this.#is("the number of referrers", manifests.length, 5);
      for (const each of manifests)
        this.#is("annotation", each.annotations?.[annotation], referrers.annotationOf(each.digest));
    });
    await this.#case("GET request to existing blob with filter should yield 200", async () => {
      const query = `?artifactType=${encodeURIComponent(referrers.typeA)}`;
      const { response, manifests } = await referrersOf(manifest4.digest, query);
      const applied = response.headers.get("oci-filters-applied");
      this.#is("the number of referrers", manifests.length, applied === "artifactType" ? 2 : 5);
    });
    await this.#case("GET request to missing manifest should yield 200", async () => {
      const { manifests } = await referrersOf(manifest3.digest);
      this.#is("the number of referrers", manifests.length, 1);
    });
    await set("Delete config blob created in tests", () => this.#deleteBlob(config2));
    await set("Delete layer blob created in setup", () => this.#deleteBlob(this.#layer));
    await this.#case("Delete created manifest & associated tags", async () => {
      for (const reference of [
        "test0",
        "test1",
        "test2",
        "test3",
        tagName,
        manifest2.digest,
        manifest4.digest,
      ])
        await this.#deleteManifest(reference, [...deleted, 400]);
    });
    await this.#case("References teardown", async () => {
      for (const each of referrers.all.toReversed())
        await this.#deleteManifest(each.manifest.digest, deleted);
      for (const blob of [referrers.empty, referrers.blobA, referrers.blobB, config4])
        await this.#deleteBlob(blob);
    });
  }

  async management(): Promise<void> {
    this.#category = "content management";
    const [config, manifest] = [this.#configs[3]!, this.#manifests[3]!];
    const set = async (name: string, body: () => Promise<unknown>) =>
      this.#case(name, async () => void (await body()));
    await set("Populate registry with test config blob", () => this.#upload(config));
    await set("Populate registry with test layer", () => this.#upload(this.#layer));
    await set("Populate registry with test tag", () => this.#putManifest(tagName, manifest));
    const list = `${this.#base}/tags/list`;
    const tags = async () => {
      const response = await this.#ask("GET", list, [200, 404]);
      return response.status === 404
        ? []
        : (((await response.json()) as { tags: string[] | null }).tags ?? []);
    };
    let before = 0;
    await this.#case("Check how many tags there are before anything gets deleted", async () => {
      before = (await tags()).length;
    });
    await set(
      "DELETE request to manifest tag should return 202, unless tag deletion is disallowed (400/405)",
      () => this.#deleteManifest(tagName, [202, 400, 405]),
    );
    await set("DELETE request to manifest (digest) should yield 202 response unless already deleted", () =>
      this.#deleteManifest(manifest.digest, [202, 404]),
    );
    await set(
      "GET request to deleted manifest URL should yield 404 response, unless delete is disallowed",
      () => this.#ask("GET", `${this.#base}/manifests/${manifest.digest}`, 404),
    );
    await this.#case("GET request to tags list should reflect manifest deletion", async () => {
      this.#is("the number of tags", (await tags()).length, before - 1);
    });
    let status = 0;
    await this.#case("DELETE request to blob URL should yield 202 response", async () => {
      status = (await this.#deleteBlob(config, [202, 404, 405])).status;
      await this.#deleteBlob(this.#layer, [202, 404, 405]);
    });
    await this.#case("GET request to deleted blob URL should yield 404 response", async () => {
      if (status === 405) return;
      await this.#ask("GET", `${this.#base}/blobs/${config.digest}`, 404);
      await this.#ask("GET", `${this.#base}/blobs/${this.#layer.digest}`, 404);
    });
  }
}

/** Five manifests about one that is there, and one about one that is not. */
class Referrers {
  readonly typeA = "application/vnd.nhl.peanut.butter.bagel";
  readonly empty = blobOf("{}");
  readonly blobA = blobOf("NHL Peanut Butter on my NHL bagel");
  readonly blobB = blobOf("NBA Strawberry Jam on my NBA croissant");
  readonly all: { manifest: Blob; subject: string; mediaType: string; note: string | undefined }[] = [];

  constructor(subject: Blob, missing: Blob) {
    const typeB = "application/vnd.nba.strawberry.jam.croissant";
    const nothing = describe(this.empty, "application/vnd.oci.empty.v1+json");
    const add = (
      about: Blob,
      note: string | undefined,
      more: object,
      mediaType: string = mediaTypes.ociManifest,
    ) => {
      const annotations = note === undefined ? {} : { annotations: { [annotation]: note } };
      const head = { schemaVersion: 2, mediaType, subject: describe(about, mediaTypes.ociManifest) };
      const manifest = blobOf(JSON.stringify({ ...head, ...more, ...annotations }));
      this.all.push({ manifest, subject: about.digest, mediaType, note });
      return describe(manifest, mediaTypes.ociManifest);
    };
    const [a, b] = [describe(this.blobA, this.typeA), describe(this.blobB, typeB)];
    const configA = add(subject, "test config a", { config: a, layers: [nothing] });
    add(subject, "test config b", { config: b, layers: [nothing] });
    const layerA = add(subject, "test layer a", { artifactType: this.typeA, config: nothing, layers: [a] });
    add(subject, "test layer b", { artifactType: typeB, config: nothing, layers: [b] });
    add(missing, undefined, { artifactType: typeB, config: nothing, layers: [b] });
    const index = { artifactType: "application/vnd.food.stand", manifests: [configA, layerA] };
    add(subject, "test index", index, mediaTypes.ociIndex);
  }

  annotationOf(digest: string): string | undefined {
    return this.all.find(({ manifest }) => manifest.digest === digest)?.note;
  }
}
