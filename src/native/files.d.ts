/** What build.ts makes natively; `#native/` is an import map entry of package.json, redirected per target in a build. */
declare module "#native/*" {
  const path: string;
  export default path;
}
