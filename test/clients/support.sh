# An archive of a root file system with a static busybox, to stdout.
root_archive() {
  directory=$(mktemp -d)
  chmod 755 "$directory"
  mkdir "$directory/bin" "$directory/tmp" "$directory/etc"
  cp "${RT_CLIENTS_BUSYBOX:-/bin/busybox}" "$directory/bin/busybox"
  for word in sh cat echo sleep ls true false wget httpd id tty stty head touch mkdir rm env hostname grep seq sha256sum wc; do
    ln -s busybox "$directory/bin/$word"
  done
  tar -C "$directory" -c .
  rm -r "$directory"
}
