# steps.sh: the few functions that the sandbox's steps are made of.
#
# "sandbox --dry-run" prints these steps as a script that reads this file first.
# $dir is where everything of one sandbox is.

# What only root has in his, and root without a login shell has not.
PATH=$PATH:/usr/sbin:/sbin

# Everything of a sandbox runs in namespaces of its own, which the process in
# $dir/holder keeps: when that is killed, all the rest ends with it. With
# --host the network is not among them. An ordinary user is root in there.
#
# hold FLAGS...: make them. Its start time is kept too, as a pid may be somebody
# else's after a crash. It is not the holder before it says so: until then its
# namespaces are still the machine's.
hold()
{
	rm -f "$dir/holder"
	setsid unshare --fork --pid --kill-child --mount-proc "$@" \
		sh -c 'echo holding; trap "" HUP INT TERM; sleep infinity & wait' \
		</dev/null >"$dir/holder.log" 2>&1 9>&- &
	unshared=$!
	until_true 5 grep -qsx holding "$dir/holder.log" || {
		kill -KILL "$unshared" 2>/dev/null
		echo "sandbox: $(head -n 1 "$dir/holder.log"): may this user make" \
			"namespaces? (sysctl user.max_user_namespaces; AppArmor)" >&2
		return 1
	}
	echo "$unshared $(started_at "$unshared")" >"$dir/holder"
}

# When process @1 began, in clock ticks since boot: field 22 of proc(5)'s stat;
# the name before it may have blanks in it. Nothing if it is dead, and only its
# entry is left because nobody has asked.
started_at()
{
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '!/^[ZX]/ { print $20 }'
}

# The holder's pid, if it lives.
holder()
{
	[ -f "$dir/holder" ] && read -r pid start <"$dir/holder" &&
		[ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ] &&
		echo "$pid"
}

# The first process of the namespace ends, with it all others, and then
# unshare(1), which has waited for it.
release()
{
	if pid=$(holder); then
		pkill -KILL -P "$pid" || :
		until_true 5 not_held || kill -KILL "$pid"
	fi
	rm -f "$dir/holder" "$dir/holder.log"
}

not_held()
{
	! holder >/dev/null
}

# in_net COMMAND...: run it in the sandbox. (It begins in the root directory.)
in_net()
{
	pid=$(holder) || {
		echo "sandbox: not running: $dir" >&2
		return 1
	}
	user=
	[ "$(id -u)" -eq 0 ] || user='--user --preserve-credentials'
	nsenter --target "$pid" $user --mount --net \
		--pid="/proc/$pid/ns/pid_for_children" "$@"
}

# background LOG COMMAND...: run it in the sandbox and leave it there, in a
# session of its own, away from the terminal. (9 is the lock of who starts it.)
background()
{
	log=$1
	shift
	(
		exec </dev/null >>"$log" 2>&1 9>&-
		in_net setsid "$@"
	) &
}

# logged LOG COMMAND...: run it in the sandbox, what it says goes to LOG.
logged()
{
	log=$1
	shift
	in_net "$@" </dev/null >>"$log" 2>&1 9>&-
}

# uplink LOG OPTION...: pasta, which is one of the sandbox's processes, and so
# ends with them, but on the machine's network. The sandbox's is its standard
# input: /proc shows it to nobody who has given up what root may do.
uplink()
{
	log=$1
	shift
	pid=$(holder) || return 1
	user='--user --preserve-credentials' runas=
	[ "$(id -u)" -ne 0 ] || user='' runas='--runas 0'
	nsenter --target "$pid" $user --pid="/proc/$pid/ns/pid_for_children" \
		setsid pasta --foreground $runas --netns /proc/self/fd/0 "$@" \
		<"/proc/$pid/ns/net" >>"$log" 2>&1 9>&- &
}

# until_true SECONDS COMMAND...: try again and again, fail after that time.
until_true()
{
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}
