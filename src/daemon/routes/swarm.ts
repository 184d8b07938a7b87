import { RtError } from "../../base/errors.ts";
import { quote } from "../../base/invalid.ts";
import type { ApiCall } from "../call.ts";

const noManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** All of /swarm, /nodes, /services, /tasks, /secrets and /configs, in Docker's words of an engine that is in no swarm. */
export function refuseSwarm(): never {
  throw new RtError("unavailable", noManager);
}

/** POST /swarm/leave */
export function postSwarmLeave(): never {
  throw new RtError("unavailable", "This node is not part of a swarm");
}

/** POST /swarm/init and /swarm/join */
export function postSwarm(): never {
  throw new RtError("unsupported", "there is no swarm here: this engine is one host's");
}

/** GET /plugins */
export function getPlugins(call: ApiCall): void {
  call.answer(200, []);
}

/** What is asked of one plugin. */
export function refusePlugin(call: ApiCall): never {
  throw new RtError("not-found", `plugin ${quote(call.param("name"))} not found`);
}

/** POST /plugins/pull and /plugins/create, GET /plugins/privileges */
export function refusePlugins(): never {
  throw new RtError("unsupported", "there are no plugins here: what there is of drivers is built in");
}
