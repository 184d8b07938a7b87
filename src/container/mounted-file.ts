/** In a state directory: the names of volumes that were mounted for it on the host, one a line. Most have none. */
export const mountedFile = "mounted";
