# status.sh: what there is, who runs, and in how much memory.

status_table()
{
	[ -z "$dry" ] || return 0
	usage=$(memory_by_session)
	printf '%-12s %-8s %-9s %-16s %s\n' NAME STATE MEMORY ADDRESS ENTER
	for n in $(guests); do
		state=stopped memory_now=-
		if pid=$(guest_pid "$n"); then
			state=running
			memory_now=$(mib_of "$pid")
		fi
		addresses=$(for net in $(guest_networks "$n"); do
			printf '%s ' "$(address "$n" "$net")"
		done)
		printf '%-12s %-8s %-9s %-16s %s\n' "$(guest_name "$n")" "$state" \
			"$memory_now" "${addresses% }" "$(self) ssh $(guest_name "$n")"
	done
	for net in $(network_names); do
		pid=$(in_net cat "$dir/net/$net.pid" 2>/dev/null) || continue
		echo "network $net: host $(network_prefix "$net").1," \
			"switch $(mib_of "$pid"): $(self) ctl $net port show"
	done
}

# Lines of session and KiB: the memory of a guest is that of its kernel and of a
# process for each of its processes. What they share counts by its shares; and
# once where processes share all of it, which shows as the same figures.
memory_by_session()
{
	in_net sh -c 'for p in /proc/[0-9]*; do
		cat "$p/stat" "$p/smaps_rollup" 2>/dev/null
	done' | awk '/\) [A-Z] [0-9]/ { sub(/.*\) /, ""); session = $4 }
		/rollup/ { range = $1 }
		/^Rss:/ { rss = $2 }
		/^Pss:/ { pss = $2 }
		/^Pss_Anon:/ && !seen[session, range, rss, $2]++ { sum[session] += pss }
		END { for (s in sum) print s, sum[s] }'
}

# mib_of PID: of all in the session that it leads.
mib_of()
{
	echo "$usage" | awk -v s="$1" '$1 == s { print int($2 / 1024) " MiB" }'
}

status()
{
	[ -n "$made" ] || fail "no sandbox $name: $(self) up"
	if holder >/dev/null; then
		status_table
	else
		echo "sandbox $name does not run: $(self) up"
	fi
}

list()
{
	for settings in "$home"/*/settings; do
		[ -f "$settings" ] || continue
		dir=${settings%/settings}
		state=stopped
		not_held || state=running
		printf '%-20s %-8s %s\n' "${dir##*/}" "$state" \
			"$(du -shx "$dir" | cut -f 1)"
	done
}
