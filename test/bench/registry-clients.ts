/**
 * bun registry-clients.ts pull|push URL LAYOUT TAG CLIENTS
 *
 * What `bench serve` times: so many clients at once, each of which pulls the image from a registry, or pushes it to a
 * repository of its own. The same program for both registries, with nothing but fetch. Prints the bytes of blobs that went
 * over the wire.
 */
import { blob, type Manifest, tagged } from "./debian-image.ts";

const [what, url = "", layout = "", tag = "", clients = ""] = process.argv.slice(2);
const digest = await tagged(layout, tag);
const bytes = await blob(layout, digest).bytes();
const manifest: Manifest & { mediaType: string } = JSON.parse(new TextDecoder().decode(bytes));
const blobs = [manifest.config, ...manifest.layers];

const work = what === "push" ? push : pull;
const counts = await Promise.all(Array.from({ length: Number(clients) }, (_, at) => work(at)));
console.log(counts.reduce((sum, count) => sum + count, 0));

async function pull(client: number): Promise<number> {
  const found = await ok(`${url}/v2/debian/manifests/${tag}`, { headers: { Accept: manifest.mediaType } });
  if ((await found.text()) !== new TextDecoder().decode(bytes)) throw new Error("another manifest");
  const counts = blobs.map(async ({ digest, size }) => {
    // One of them looks at what has come; hashing is not the registry's cost.
    const hash = client === 0 ? new Bun.CryptoHasher("sha256") : undefined;
    let count = 0;
    for await (const chunk of (await ok(`${url}/v2/debian/blobs/${digest}`)).body!) {
      hash?.update(chunk);
      count += chunk.length;
    }
    if (count !== size || (hash && `sha256:${hash.digest("hex")}` !== digest))
      throw new Error(`${digest} came with ${count} bytes, or wrong ones`);
    return count;
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

async function push(client: number): Promise<number> {
  const repository = `${url}/v2/client-${client}`;
  for (const { digest } of blobs) {
    const begun = await ok(`${repository}/blobs/uploads/`, { method: "POST" });
    const to = new URL(begun.headers.get("location") ?? "", url);
    to.searchParams.set("digest", digest);
    const headers = { "Content-Type": "application/octet-stream" };
    await ok(to.href, { method: "PUT", headers, body: blob(layout, digest) });
  }
  const headers = { "Content-Type": manifest.mediaType };
  await ok(`${repository}/manifests/${tag}`, { method: "PUT", headers, body: bytes });
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

async function ok(where: string, options: RequestInit = {}): Promise<Response> {
  const answer = await fetch(where, options);
  if (!answer.ok) throw new Error(`${options.method ?? "GET"} ${where}: ${answer.status}`);
  return answer;
}
