#!/bin/sh
# The end of prelude.sh, by the first program or by a service of it: runs the test's script, says how that ended between two
# marks, and powers off.

# Bytes go to the console as they are.
busybox stty -opost </dev/console
cd /run
echo "vm-begin $VM_NONCE"
sh "$VM_DIR/script.sh" </dev/null 2>&1
code=$?
# The mark stands at the beginning of a line, whatever the script printed last.
printf '\nvm-end %s %s\n' "$VM_NONCE" "$code"
busybox poweroff -f
