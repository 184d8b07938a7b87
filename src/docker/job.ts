/** What a daemon does for a client, one request: GET /rt/jobs, which is rt's own. */
export interface JobDocument {
  ID: number;
  /** "GET /containers/{name}/logs" */
  Name: string;
  /** As it was asked for. */
  Target: string;
  /** RFC 3339. */
  Since: string;
}
