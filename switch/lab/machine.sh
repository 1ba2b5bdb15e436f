# machine.sh: what the machine must have, and has.

check_machine()
{
	need unshare util-linux
	need nsenter util-linux
	need pkill procps
	need socat socat
	need ssh openssh-client
	need ssh-keygen openssh-client
	[ -x "$kernel" ] || command -v "$kernel" >/dev/null ||
		fail "no User-Mode Linux ($kernel): apt-get install user-mode-linux"
	ringswitch=${RINGSWITCH:-$(find_program ringswitch)}
	ringctl=$(find_program ringctl)
	network_tools
	choose_transport
}

# Of this source tree if it is built there, else installed.
find_program()
{
	if [ -x "$here/../../build/$1" ]; then
		realpath "$here/../../build/$1"
	else
		command -v "$1" || fail "$1 not found: make, or make install"
	fi
}

# choose_transport: how guests' cards reach a switch depends on their kernel.
choose_transport()
{
	has=$("$kernel" --showconfig 2>/dev/null |
		sed -n 's/^CONFIG_UML_NET_DAEMON=y/daemon/p
			s/^CONFIG_UML_NET_VECTOR=y/bess/p' | tr '\n' ' ')
	[ -n "$has" ] || fail "$kernel has neither eth0=daemon nor" \
		"vec0:transport=bess: --kernel for another"
	if [ -z "$transport" ]; then
		transport=bess
		! is_one_of daemon $has || transport=daemon
		say "Transport $transport: $kernel has: $has"
	fi
	is_one_of "$transport" $has ||
		fail "--transport $transport: $kernel has only: $has"
}

# check_room N...: for what guests write, and for their memory, which is a file
# of the size that it has at most; where Linux keeps such is small in containers.
check_room()
{
	at=$dir
	[ -d "$at" ] || at=$(dirname "$home")
	room=$(df -Pm "$at" 2>/dev/null | awk 'NR == 2 { print $4 }')
	[ "${room:-1000000}" -ge $(($# * 100)) ] ||
		fail "no space: $home has $room MiB left, and $# guests begin with" \
			"100 each: make room, or set SANDBOX_HOME"
	memory_place=/dev/shm
	room=$(df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
	if [ "${room:-0}" -lt $(($# * memory)) ] || [ ! -w /dev/shm ] ||
		findmnt -no OPTIONS -T /dev/shm | grep -q noexec; then
		memory_place=$dir
		say "The guests' memory is in $dir, which is slower: /dev/shm has" \
			"${room:-no} MiB left, or is read-only, or noexec"
	fi
}
