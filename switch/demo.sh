#!/bin/sh
#
# demo.sh: two User-Mode Linux guests and the host on one ringswitch.
#
#      web1 10.0.0.1    web2 10.0.0.2     host 10.0.0.254
#            \               |                  |
#             +-- eth0=daemon+--- ringswitch -- tap0
#
# Everything happens in a network namespace of its own and in a temporary
# directory, so the machine's network stays as it is, and root is not needed
# where users may make namespaces. Takes some fifteen seconds.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
ringswitch=${RINGSWITCH:-$root/build/ringswitch}

# Namespaces of our own: network and processes. With the latter nothing that is
# started here can outlive this script, whatever happens to it.
if [ "${1:-}" != --inside ]; then
	map_root=
	[ "$(id -u)" -eq 0 ] || map_root=--map-root-user
	if ! unshare $map_root --net true 2>/dev/null; then
		echo "demo.sh: this user may not make a network namespace: run it" \
			"as root, or see sysctl user.max_user_namespaces" >&2
		exit 1
	fi
	# unshare is deaf to signals, so they are sent to all of its session.
	setsid unshare $map_root --net --pid --fork --kill-child --mount-proc \
		"$here/demo.sh" --inside &
	job=$!
	trap 'kill -TERM "-$job"' INT TERM HUP
	code=0
	wait "$job" || code=$?
	# A signal ends the first wait at once; the second is for the clean-up.
	wait "$job" 2>/dev/null || :
	exit "$code"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/ringswitch-demo.XXXXXX")
ctl=$work/switch.ctl
step="starting"
log=$work

say()
{
	printf '\n== %s\n' "$*"
}

finish()
{
	code=$?
	trap - EXIT
	# The guests need no shutting down, they have no disks.
	for pid in ${web1_pid:-} ${web2_pid:-}; do
		kill -KILL "$pid" 2>/dev/null || :
	done
	[ -z "${switch_pid:-}" ] || kill "$switch_pid" 2>/dev/null || :
	wait
	if [ "$code" -ne 0 ]; then
		echo "demo.sh: failed: $step; see $log" >&2
		tail -n 15 "$log" >&2 2>/dev/null || :
	else
		say "Done. What the guests and the switch said is in $work"
	fi
	rm -rf "$work"/*.in "$work"/*.uml "$work/initrd"
	exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# until_true SECONDS COMMAND...: try again and again, fail after that time.
until_true()
{
	tries=$(($1 * 20))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# boot NAME MAC IP: its console's input is a fifo, its output a log file.
boot()
{
	"$root/tests/uml.sh" mem=192M initrd="$work/initrd" \
		hostname="$1" eth0=daemon,"$2",unix,"$ctl" ip0="$3" \
		con=null con0=fd:0,fd:1 uml_dir="$work/$1.uml" umid="$1" \
		<"$work/$1.in" >"$work/$1.log" 2>&1 &
	eval "$1_pid=$!"
}

# A line of the console, and nothing else on it.
says()
{
	grep -qx "$2" "$work/$1.log"
}

ready()
{
	log=$work/$1.log
	until_true 30 says "$1" "guest $1 is ready"
}

# in_guest NAME COMMAND: run it, show what it prints, return its exit code.
commands=0
in_guest()
{
	log=$work/$1.log
	commands=$((commands + 1))
	lines=$(wc -l <"$log")
	echo "$1# $2"
	mark="end of command $commands: exit"
	echo "$2; echo \"$mark \$?\"" >"$work/$1.in"
	until_true 30 says "$1" "$mark [0-9]*" || return 1
	tail -n "+$((lines + 1))" "$log" | grep -v "^$mark " || :
	says "$1" "$mark 0"
}

say "A root file system for the guests, made from this machine's busybox"
step="making the initrd"
"$root/tests/uml_initrd.sh" "$work/initrd"
ls -sh "$work/initrd"

say "The switch, with the host on it through tap0"
step="starting the switch"
log=$work/switch.log
mkfifo "$work/ready.in"
"$ringswitch" --unix "$ctl" --tap tap0 --ready-fd 3 \
	</dev/null 3>"$work/ready.in" >"$work/switch.out" 2>"$log" &
switch_pid=$!
read -r _ <"$work/ready.in"
cat "$log" "$work/switch.out"
ip address add 10.0.0.254/24 dev tap0
ip -brief address show dev tap0

say "Two guests; their consoles are $work/web1.log and web2.log"
step="booting the guests"
mkfifo "$work/web1.in" "$work/web2.in"
# Kept open here, so that nobody waits for somebody at the other end.
exec 4<>"$work/web1.in" 5<>"$work/web2.in"
boot web1 02:00:00:00:00:01 10.0.0.1/24
boot web2 02:00:00:00:00:02 10.0.0.2/24
ready web1
ready web2
in_guest web1 'uname -nrm; ip -4 address show eth0'

say "web1 pings web2, then the host; the host pings web2"
step="ping from web1 to web2"
in_guest web1 'ping -c 3 -A -w 10 10.0.0.2'
step="ping from web1 to the host"
in_guest web1 'ping -c 3 -A -w 10 10.0.0.254'
step="ping from the host to web2"
log=$work
echo "host# ping -c 3 -A -w 10 10.0.0.2"
busybox ping -c 3 -A -w 10 10.0.0.2

say "TCP from web1 to web2 for three seconds"
step="iperf3 from web1 to web2"
in_guest web2 'iperf3 -s -1 -D; until netstat -ltn 2>&1 | grep -q :5201; do :; done'
in_guest web1 'iperf3 -c 10.0.0.2 -t 3 -f m'

say "What the switch has counted (kill -USR1 $switch_pid)"
step="reading the switch's counters"
log=$work/switch.out
kill -USR1 "$switch_pid"
until_true 5 grep -q '^mac ' "$work/switch.out"
sed -n '2,$p' "$work/switch.out"
