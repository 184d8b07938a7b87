/** What the executable was called: under the name "docker" it is a command line of Docker's. */
export const programName = /(^|\/)docker$/.test(process.argv0) ? "docker" : "rt";
