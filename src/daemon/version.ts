export { type ApiVersion, apiVersionMax, apiVersionMin, isAtLeast } from "../docker/api-version.ts";
