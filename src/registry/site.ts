import { bareName, isLoopback } from "./address.ts";

/** Docker Hub, under its several names, logs in at auth.docker.io. */
const hubSites = new Set(["docker.io", "docker.com", "dhi.io"]);

/**
 * Below these each customer has a registry, a machine or a bucket of his own, and the public suffix list says so of none of
 * them, or only of some.
 */
const sharedDomains = [
  ...[
    "aliyuncs.com",
    "amazonaws.com",
    "amazonaws.com.cn",
    "azure.com",
    "azurecr.cn",
    "azurecr.io",
    "azurecr.us",
  ],
  ...[
    "cloudapp.net",
    "cloudsmith.io",
    "contaboserver.net",
    "jfrog.io",
    "linodeusercontent.com",
    "myhuaweicloud.com",
  ],
  ...["nip.io", "ocir.io", "ovh.net", "cloudflarestorage.com", "scw.cloud", "sslip.io", "tencentcloudcr.com"],
  ...["vultrcr.com", "vultrusercontent.com", "windows.net", "xip.io", "your-server.de"],
];

/**
 * Have two hosts one owner, so that one may see the password of the other? Equal names have, and so have two below one domain
 * that a person can register. Which domains these are is the public suffix list's word, with its private part: below
 * github.io or cloudfront.net each name is somebody else's. Of addresses, single labels and endings that the list does not
 * have (.internal, .lan) nothing is known, and the answer is no.
 */
export async function sameSite(a: URL, b: URL): Promise<boolean> {
  if (a.hostname === b.hostname || (isLoopback(a) && isLoopback(b))) return true;
  const [one, other] = [await siteOf(a), await siteOf(b)];
  return one !== undefined && one === other;
}

async function siteOf(url: URL): Promise<string | undefined> {
  // 140 KB of names, which only a pull with a password at another host needs.
  const { parse } = await import("tldts");
  const found = parse(bareName(url.hostname), { allowPrivateDomains: true, extractHostname: false });
  const { domain, isIcann, isPrivate } = found;
  if (!domain || !(isIcann || isPrivate) || isShared(domain)) return undefined;
  return hubSites.has(domain) ? "docker.io" : domain;
}

/** With all below it: the list may cut the names of one at one place of several (us-east-1.amazonaws.com). */
function isShared(domain: string): boolean {
  return sharedDomains.some((shared) => domain === shared || domain.endsWith(`.${shared}`));
}
