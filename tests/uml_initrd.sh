#!/bin/sh
#
# uml_initrd.sh OUT: make a small initrd for a User-Mode Linux guest.
#
# What is in it: busybox (static), iperf3 with the libraries ldd names, and the
# init below. Everything comes from the machine this runs on, so nothing is
# downloaded and nothing has to be stored in the repository. No root needed:
# the guest's kernel fills /dev itself (devtmpfs), so no device nodes are made.
#
# The guest's init reads these words of the kernel's command line:
#
#     hostname=web1        the guest's name
#     nic0=vec0            its network card; eth0 if not said
#     ip0=10.0.0.1/24      address of the card, which is then brought up
#
# and then hands the console to a shell without prompt and echo: what is
# written to the console is run, what comes out is the commands' output only.
# When the console's input ends, the guest powers off.

set -eu

fail()
{
	echo "uml_initrd.sh: $*" >&2
	exit 1
}

[ $# -eq 1 ] || fail "usage: uml_initrd.sh OUT"
out=$1

for tool in busybox iperf3 cpio; do
	command -v "$tool" >/dev/null ||
		fail "$tool not found (apt-get install busybox-static iperf3 cpio)"
done
busybox=$(command -v busybox)
iperf3=$(command -v iperf3)

# ldd does not fail on a dynamic busybox, and the guest would just not boot.
if ldd "$busybox" >/dev/null 2>&1; then
	fail "$busybox is not static (apt-get install busybox-static)"
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 1' INT TERM HUP

mkdir -p "$root/bin" "$root/dev" "$root/etc" "$root/proc" "$root/sys" \
	"$root/tmp"
cp "$busybox" "$root/bin/busybox"
cp "$iperf3" "$root/bin/iperf3"

# Each library goes where iperf3 will look for it: to the path ldd prints.
ldd "$iperf3" | grep -o '/[^ ]*' | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done

# iperf3 looks its own name up.
echo '127.0.0.1 localhost' >"$root/etc/hosts"

cat >"$root/init" <<'INIT'
#!/bin/busybox sh
# Words the kernel does not know come to init as environment variables.
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
[ -z "$hostname" ] || hostname "$hostname"

ip link set lo up
if [ -n "$ip0" ]; then
	ip address add "$ip0" dev "${nic0:-eth0}"
	ip link set "${nic0:-eth0}" up
fi

# From here on the console belongs to the one who types the commands: no
# kernel messages between the lines, no echo, no carriage returns.
dmesg -n 1
stty -echo -onlcr
echo "guest $(hostname) is ready"
# As a script, because a shell that has a terminal for its input prompts and
# echoes.
sh /dev/console
poweroff -f
INIT
chmod 755 "$root/init"

# Written beside its place and renamed, so that an interrupted run leaves no
# half initrd that make would take for a finished one. Not compressed: packing
# and unpacking would take longer than copying eight megabytes.
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) \
	>"$out.tmp"
mv "$out.tmp" "$out"
