import { processFacts } from "../../base/build-info.ts";
import { type Version, versionDocument } from "../../docker/version.ts";

export function engineVersion(): Version {
  return versionDocument(processFacts());
}
