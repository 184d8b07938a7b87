import { flag, integer, listOf, mapOf, natural, object, optional, type Shape, text } from "../base/shape.ts";
import {
  type ContainerListElement,
  type ContainerSummary,
  containerSummary,
} from "../docker/container-summary.ts";
import { formatFilters } from "../docker/filters.ts";
import { given } from "../docker/zero.ts";
import type { ListOptions } from "../engine/container/list.ts";
import { documentOf, type RemoteCaller } from "./caller.ts";

const word = given(text, "");
const anything: Shape<object> = object({});
const port = object({ IP: optional(text), PrivatePort: natural, PublicPort: optional(natural), Type: text });
const mount = object({
  ...{ Type: text, Name: optional(text), Source: word, Destination: text },
  ...{ Driver: optional(text), Mode: word, RW: given(flag, true), Propagation: word },
});

/** An element of GET /containers/json; what docker has besides passes. */
export const listElement = object({
  Id: text,
  Names: given(listOf(text), []),
  Image: word,
  ImageID: word,
  Command: word,
  Created: integer,
  Ports: given(listOf(port), []),
  SizeRw: optional(integer),
  SizeRootFs: optional(integer),
  Labels: given(mapOf(text), {}),
  State: text,
  Status: word,
  HostConfig: given(object({ NetworkMode: word }), { NetworkMode: "" }),
  NetworkSettings: given(object({ Networks: given(mapOf(anything), {}) }), { Networks: {} }),
  Mounts: given(listOf(mount), []),
});

/** Newest first. */
export async function listContainers(
  caller: RemoteCaller,
  options: ListOptions,
): Promise<ContainerSummary[]> {
  const { all, last, size, details, filters } = options;
  const query = { all, limit: last, size, filters: formatFilters(filters) };
  const found = await documentOf(
    caller,
    listOf(listElement),
    { method: "GET", path: "/containers/json", query },
    "containers",
  );
  return found.map((element) => {
    const summary = containerSummary(element as unknown as ContainerListElement);
    if (!details) delete summary.details;
    if (!size) delete summary.size;
    return summary;
  });
}
