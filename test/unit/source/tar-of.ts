import { archive, member, paxRecords } from "../../support/tar.ts";

/** One entry of a tar that a test writes: a file, or a link; a long name in PAX or GNU fashion. */
export interface Member {
  name: string;
  data?: Uint8Array;
  link?: string;
  /** Of a link: symbolic unless "1", hard. */
  type?: "1" | "2";
  style?: "pax" | "gnu";
  /** Raw text of a PAX header before the entry. */
  pax?: string;
}

export function tarOf(members: Iterable<Member>): Uint8Array {
  return archive(...[...members].flatMap(partsOf));
}

function partsOf({ name, data, link, type, style, pax }: Member): Uint8Array[] {
  const entry = { name: name.slice(0, 100), ...(data && { content: data }) };
  return [
    ...(pax === undefined ? [] : [member({ name: "pax", type: "x", content: pax })]),
    ...(style === "gnu" ? [member({ name: "././@LongLink", type: "L", content: `${name}\0` })] : []),
    ...(style === "pax" ? [paxRecords({ path: name })] : []),
    member(link === undefined ? entry : { ...entry, type: type ?? "2", link }),
  ];
}
