# demo_lib.sh: what the demos have in common; they read it first.
#
# Reading it runs the demo once more, in namespaces of its own and with a
# temporary directory ($work), so that the machine's network stays as it is and
# root is not needed where users may make namespaces. What follows here makes
# the initrd, starts the switch, boots guests (web1 and web2), talks to them,
# and cleans up.
#
# A demo keeps $step, what it is doing, and $log, where to look if that fails.
# What it starts itself it adds to $pids. $user_namespace=always makes it an
# ordinary user even if root runs it.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
demo=${0##*/}
root=${here%/*}
ringswitch=${RINGSWITCH:-$root/build/ringswitch}

# Namespaces of our own: network and processes. With the latter nothing that is
# started here can outlive this script, whatever happens to it.
if [ "${1:-}" != --inside ]; then
	map_root=
	[ "$(id -u)" -eq 0 ] && [ "${user_namespace:-}" != always ] ||
		map_root=--map-root-user
	if ! unshare $map_root --net true 2>/dev/null; then
		echo "$demo: this user may not make a network namespace: see" \
			"sysctl user.max_user_namespaces, or run demo.sh as root" >&2
		exit 1
	fi
	# unshare is deaf to signals, so they are sent to all of its session.
	setsid unshare $map_root --net --pid --fork --kill-child --mount-proc \
		"$here/$demo" --inside &
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
guests=
pids=

say()
{
	printf '\n== %s\n' "$*"
}

finish()
{
	code=$?
	trap - EXIT
	# The guests need no shutting down, they have no disks.
	for pid in $guests; do
		kill -KILL "$pid" 2>/dev/null || :
	done
	for pid in $pids; do
		kill "$pid" 2>/dev/null || :
	done
	wait
	if [ "$code" -ne 0 ]; then
		echo "$demo: failed: $step; see $log" >&2
		tail -n 15 "$log" >&2 2>/dev/null || :
	else
		say "Done. What the guests and the switch said is in $work"
	fi
	rm -rf "$work"/*.in "$work"/*.uml "$work"/*.sock "$work/www" \
		"$work/initrd"
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

make_initrd()
{
	say "A root file system for the guests, made from this machine's busybox"
	step="making the initrd"
	"$root/tests/uml_initrd.sh" "$work/initrd"
	ls -sh "$work/initrd"
}

# start_switch OPTIONS...: returns when guests can attach.
start_switch()
{
	step="starting the switch"
	log=$work/switch.log
	mkfifo "$work/ready.in"
	"$ringswitch" --unix "$ctl" "$@" --ready-fd 3 \
		</dev/null 3>"$work/ready.in" >"$work/switch.out" 2>"$log" &
	switch_pid=$!
	pids="$switch_pid $pids"
	read -r _ <"$work/ready.in"
	cat "$log" "$work/switch.out"
}

show_counters()
{
	say "What the switch has counted (kill -USR1 $switch_pid)"
	step="reading the switch's counters"
	log=$work/switch.out
	lines=$(wc -l <"$log")
	kill -USR1 "$switch_pid"
	until_true 5 grep -q '^mac ' "$log"
	tail -n "+$((lines + 1))" "$log"
}

# boot NAME FD WORDS...: the console's input is a fifo, kept open here (as FD)
# so that nobody waits for somebody at the other end; its output is a log file.
# The words go to the kernel's command line.
boot()
{
	guest=$1
	mkfifo "$work/$guest.in"
	eval "exec $2<>\"\$work/\$guest.in\""
	shift 2
	"$here/lab/uml.sh" mem=192M initrd="$work/initrd" hostname="$guest" \
		con=null con0=fd:0,fd:1 uml_dir="$work/$guest.uml" \
		umid="$guest" "$@" <"$work/$guest.in" >"$work/$guest.log" 2>&1 &
	guests="$guests $!"
}

# A line of the console, and nothing else on it.
says()
{
	grep -sqx "$2" "$work/$1.log"
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
