#!/bin/sh
# boot_systemd.sh DIRECTORY CHECKOUT: a copy of this machine's files that nothing
# can hurt (an overlay, whose changes are in DIRECTORY/changes and in memory), and
# a systemd of its own in it. To be run as root by
#
#     unshare --mount --pid --net --uts --ipc --fork --kill-child
#
# Its cgroups are below the root's, called as DIRECTORY is; DIRECTORY/root is its
# root.
set -eu
directory=$1 checkout=$2
root=$directory/root

# The cgroup file systems that systemd wants: one, or on older set-ups two.
cgroups=/sys/fs/cgroup
[ -f $cgroups/cgroup.procs ] || cgroups="/sys/fs/cgroup/unified /sys/fs/cgroup/systemd"
for at in $cgroups; do
	mkdir "$at/${directory##*/}"
	echo $$ >"$at/${directory##*/}/cgroup.procs"
done

mount -t tmpfs tmpfs "$directory"
mkdir "$directory/changes" "$directory/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$directory/changes,workdir=$directory/work" \
	overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$checkout"
mount --bind "$checkout" "$root$checkout"

# Devices as Debian has them: everybody may open /dev/net/tun.
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
	cp -a "/dev/$device" "$root/dev"
done
mkdir "$root/dev/net" "$root/dev/shm" "$root/dev/pts"
mknod -m 666 "$root/dev/net/tun" c 10 200
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

# What keeps packages from running services in a container's image.
rm -f "$root/usr/sbin/policy-rc.d"

# Nothing of the machine's own services; what every service waits for is done
# before anybody asks, as it tidies /tmp and the like.
rm -rf "$root"/etc/systemd/system/*.wants/*
cat >"$root/etc/systemd/system/lab.target" <<EOF
[Unit]
Description=for tests
Wants=sysinit.target
After=sysinit.target
EOF

export container=other
exec unshare --cgroup --mount sh -eu -c '
root=$1; shift
if [ $# = 1 ]; then
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
	mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	mkdir "$root/sys/fs/cgroup/unified" "$root/sys/fs/cgroup/systemd"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
	mount -t cgroup -o none,name=systemd,xattr cgroup "$root/sys/fs/cgroup/systemd"
fi
# Not by chroot(8), in which no user namespaces can be made.
cd "$root"
pivot_root . .
umount -l .
exec /lib/systemd/systemd --unit=lab.target --log-target=console \
	--log-color=no --show-status=no' boot "$root" $cgroups
