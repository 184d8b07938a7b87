import { type Container, recordOf } from "../../container/stored-container.ts";
import { joinedContainers } from "../../settings/namespace-mode.ts";
import { cutVolumesFrom } from "../../settings/volume.ts";

/**
 * Which of `containers` each of them needs: those whose namespaces it has, and whose volumes.
 * @returns ids by id
 */
export function dependenciesOf(containers: readonly Container[]): Map<string, string[]> {
  const ids = new Map(containers.flatMap(({ id, name }) => [[id, id] as const, [name, id] as const]));
  return new Map(
    containers.map((container) => {
      const record = recordOf(container);
      const volumes = record?.volumesFrom.map((text) => cutVolumesFrom(text).container) ?? [];
      const named = [...(record ? joinedContainers(record) : []), ...volumes];
      return [container.id, named.flatMap((name) => ids.get(name) ?? [])];
    }),
  );
}

/** `containers` in their order, but for those that stand before what they need. A circle is cut somewhere. */
export function inOrder(containers: readonly Container[]): Container[] {
  const needed = dependenciesOf(containers);
  const byId = new Map(containers.map((container) => [container.id, container]));
  const ordered = new Set<Container>();
  const seen = new Set<string>();
  const add = (container: Container) => {
    if (seen.has(container.id)) return;
    seen.add(container.id);
    for (const id of needed.get(container.id) ?? []) add(byId.get(id)!);
    ordered.add(container);
  };
  for (const container of containers) add(container);
  return [...ordered];
}
