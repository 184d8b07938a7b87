#!/bin/sh
# The first program of a guest that has the host's tree, read-only, as its root (uml.ts starts it): makes the world that
# a root shell expects, runs the test's script, says how that ended between two marks, and powers off.
# VM_SHARED, from the kernel's command line, is a directory of the host that holds script.sh and settings.sh.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TERM=linux LC_ALL=C.UTF-8

mount -t proc -o nosuid,nodev,noexec proc /proc
busybox dmesg -n 1
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir /dev/pts /dev/shm /run/home /run/vm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
echo "+cpu +io +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
mount -t hostfs -o "$VM_SHARED" hostfs /run/vm
# As Debian's other kernels are told; without seccomp this is all that keeps a container from bpf(2).
echo 2 >/proc/sys/kernel/unprivileged_bpf_disabled
busybox hostname second-kernel
busybox ifconfig lo up

. /run/vm/settings.sh
export VM_DIR=/run/vm
printf %s "$VM_VISIBLE" | while read -r directory; do
  [ -e "$directory" ] || { mkdir -p "$directory" && mount -t hostfs -o "$directory" hostfs "$directory"; }
done
# kmod looks in /lib/modules, which this host may not have; the kernel asks the same program for what it misses.
mkdir -p /run/kmod/lib
ln -s /usr/lib/uml/modules /run/kmod/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/kmod "$@"\n' >/run/kmod/modprobe
chmod 755 /run/kmod/modprobe
echo /run/kmod/modprobe >/proc/sys/kernel/modprobe
for module in $VM_MODULES; do /run/kmod/modprobe "$module"; done

finish=$VM_DIR/finish.sh
[ "$VM_INIT" = systemd ] || exec sh "$finish"

# A real systemd, of the host's tree, with one service: the script. What else it would start is not asked for.
mkdir -p /run/systemd/system
cat >/run/systemd/system/vm.target <<END
[Unit]
DefaultDependencies=no
Requires=vm.service
END
cat >/run/systemd/system/vm.service <<END
[Unit]
DefaultDependencies=no
[Service]
Environment=PATH=$PATH HOME=$HOME TERM=$TERM LC_ALL=$LC_ALL VM_DIR=$VM_DIR
ExecStart=/bin/sh -c '. $VM_DIR/settings.sh; exec sh $finish'
StandardInput=null
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
END
exec /lib/systemd/systemd --unit=vm.target --show-status=0 --log-target=null
