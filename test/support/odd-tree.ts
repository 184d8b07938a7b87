/**
 * A tree with the names, kinds and times that archivers disagree about, as much of it as a format can say:
 *
 *   await oddTree(dir, "all" | "ustar")
 */
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { run } from "./command.ts";
import { hasOneId, inUserNamespace } from "./ordinary.ts";

export type Extent = "all" | "long" | "ustar";

const modules = resolve(import.meta.dir, "../../node_modules");

/**
 * `ustar`: names of two parts, numbers in octal, whole seconds since 1970. `long`: names without end, and names that are not
 * UTF-8. `all`: attributes, large owners, any time, and holes too.
 */
export async function oddTree(dir: string, extent: Extent): Promise<void> {
  const put = (path: string, content = path) => {
    if (extent === "ustar" && !fitsUstar(path)) return;
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  };
  mkdirSync(dir, { recursive: true });
  names(put);
  for (const name of ["clipanion", "cbor-x"])
    await run(["cp", "-r", join(modules, name), join(dir, `node_modules-${name}`)]);
  kinds(dir, extent);
  await run(["sh", "-euc", script(extent)], { cwd: dir });
}

/** Every length around a header's 100 bytes, with a slash at each place around its end, "./" in front or not. */
function names(put: (path: string) => void): void {
  for (let slash = 94; slash <= 102; slash++) {
    for (const total of [
      96, 97, 98, 99, 100, 101, 102, 103, 104, 150, 154, 155, 156, 200, 254, 255, 256, 260,
    ]) {
      const rest = total - slash - 1;
      if (rest > 0) put(`${parts("d", slash)}/${"f".repeat(rest)}`);
    }
    put(`${parts("s", slash)}/x`);
  }
  put(`${"deep/".repeat(150)}file`);
  put(`site-packages/${"package_with_a_name/".repeat(12)}__init__.py`);
}

/** A path of `length` bytes in parts that ustar can split. */
function parts(letter: string, length: number): string {
  const first = Math.floor(length / 2);
  return `${letter.repeat(first)}/${letter.repeat(length - first - 1)}`;
}

/** POSIX 1003.1, ustar: 155 bytes, a slash, 100 bytes; each directory on the way too. */
function fitsUstar(path: string): boolean {
  const full = `./${path}`;
  const ends = [...full].flatMap((byte, index) => (byte === "/" ? [index + 1] : []));
  return [...ends, full.length].every((end) => {
    const name = full.slice(0, end);
    const splits = [...name.slice(0, -1)].flatMap((byte, index) => (byte === "/" ? [index] : []));
    return name.length <= 100 || splits.some((at) => at <= 155 && name.length - at - 1 <= 100);
  });
}

function kinds(dir: string, extent: Extent): void {
  const at = (name: string) => join(dir, name);
  writeFileSync(at("hard-one"), "linked");
  linkSync(at("hard-one"), at("hard-two"));
  for (const length of [1, 99, 100, ...(extent === "ustar" ? [] : [101, 200, 1000])])
    symlinkSync("t".repeat(length), at(`link-${length}`));
  symlinkSync("/absolute/nowhere", at("absolute"));
  writeFileSync(at("empty"), "");
  writeFileSync(at("large"), Buffer.alloc(3 << 20, "large"));
  for (const name of ["with space", "-dash", "new\nline", "back\\slash", "grüße-日本語", ".wh", "wh.x"])
    writeFileSync(at(name), name);
  if (extent === "ustar") return;
  writeFileSync(Buffer.concat([Buffer.from(at("not-utf8-")), Buffer.from([0xe9])]), "");
  linkSync(at(`${"deep/".repeat(150)}file`), at("hard-to-deep"));
}

/** 2^18 - 1 is what bsdtar writes in octal digits; it leaves out what is larger. A user namespace has neither it nor devices. */
function script(extent: Extent): string {
  const [large, huge] = inUserNamespace ? ["65000", "64000:65001"] : ["262143", "3000000000:4000000000"];
  const lines = [
    ...(inUserNamespace ? [] : ["mknod char c 1 3; mknod block b 7 1; mknod wide c 511 262143"]),
    "mkfifo fifo; chmod 622 fifo",
    "cp /bin/true setuid; chown 3:4 setuid; chmod 6755 setuid; mkdir sticky setgid private; chmod 3777 sticky",
    "chmod 2750 setgid; echo x > setgid/file; chmod 0 empty; chmod 700 private; chown 1000:1000 private",
    `chown ${large}:${large} fifo; chown -h 5:6 absolute`,
  ];
  if (extent === "all")
    lines.push(
      `touch owner; chown ${huge} owner; touch -d '1960-01-02 03:04:05.25Z' old`,
      "touch -d '2300-01-01 00:00:00.5Z' future; touch -h -d '1969-12-31 23:59:59.75Z' absolute; touch -d @1e9.125 large || true",
      "truncate -s 9M sparse; printf x | dd of=sparse bs=1M seek=4 conv=notrunc status=none; truncate -s 1M hole",
      "setfattr -n user.a -v hello large; setfattr -n user.b -v 0x00ff0a private; cp /bin/true cap; setcap cap_net_raw+ep cap",
    );
  // There is nobody to give anything to.
  if (hasOneId) lines.unshift("chown() { :; }");
  const whole = extent === "all" ? "-newermt 1900-01-01 ! -name old ! -name future ! -name absolute" : "";
  lines.push(`find . -depth ${whole} -exec touch -h -d @1234567890 {} +`);
  return lines.join("\n");
}
