import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import type { RegistryOptions } from "../../registry/options.ts";

/** What a caller says of himself is for the registry that his reference names; of one who says nothing the files are asked. */
export function givenBy(credentials: RegistryCredentials | undefined): Pick<RegistryOptions, "given"> {
  return credentials ? { given: { credential: credentialIn(credentials) } } : {};
}

function credentialIn(credentials: RegistryCredentials): NonNullable<RegistryOptions["given"]>["credential"] {
  const { username, password, identityToken, registryToken } = credentials;
  if (registryToken !== "") return { kind: "bearer", token: registryToken };
  if (identityToken !== "") return { kind: "identity", token: identityToken };
  return username === "" ? undefined : { kind: "basic", username, password };
}
