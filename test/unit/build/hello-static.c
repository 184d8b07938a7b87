/* A small stand-in for Bun's program: says what it finds of the way it was started. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <fcntl.h>

extern char **environ;
static __thread int local = 7;
static volatile double zero = 0;

static void *thread(void *out) {
  *(int *)out = local++;
  return out;
}

int main(int argc, char **argv) {
  int seen = 0, fd;
  char line[4096];
  pthread_t id;
  FILE *maps = fopen("/proc/self/maps", "r");
  for (int i = 1; i < argc; i++) printf("arg %s\n", argv[i]);
  for (char **entry = environ; *entry; entry++) printf("env %s\n", *entry);
  pthread_create(&id, NULL, thread, &seen);
  pthread_join(id, NULL);
  printf("thread %d cos %.1f\n", seen, cos(zero));
  while (fgets(line, sizeof line, maps)) {
    char *path = strchr(line, '/');
    if (path) printf("map %s", path);
  }
  fclose(maps);
  for (fd = 0; fd < 64; fd++) if (fcntl(fd, F_GETFD) >= 0) printf("fd %d\n", fd);
  printf("library %s\n", dlopen(getenv("RT_LIBRARY") ? getenv("RT_LIBRARY") : "libz.so.1", RTLD_NOW) ? "found" : "not found");
  return 42;
}
