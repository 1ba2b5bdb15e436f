# guest.sh: the guests of a sandbox: what they are, their processes, their answer.
#
# $table has a line for each: its number, its name, its networks (by commas).

guests()
{
	printf '%s\n' "$table" | awk 'NF { print $1 }'
}

guest_name()
{
	printf '%s\n' "$table" | awk -v n="$1" '$1 == n { print $2 }'
}

guest_networks()
{
	printf '%s\n' "$table" | awk -v n="$1" '$1 == n { gsub(",", " ", $3); print $3 }'
}

# guest_number NAME-OR-NUMBER
guest_number()
{
	number=$(printf '%s\n' "$table" |
		awk -v g="$1" '$1 == g || $2 == g { print $1; exit }')
	[ -n "$number" ] || fail "no guest $1: there are" \
		$(printf '%s\n' "$table" | cut -d ' ' -f 2)
	echo "$number"
}

guest_dir()
{
	echo "$dir/guests/$1"
}

# address N NETWORK
address()
{
	echo "$(network_prefix "$2").$((10 + $1))"
}

# mac N NETWORK: locally administered.
mac()
{
	printf '02:52:53:00:%02x:%02x\n' "$(network_index "$2")" "$1"
}

# guest_make N: everything of a guest but its disk, which its kernel makes. The
# seed is what it finds on its second disk and unpacks at its first boot.
# Written beside its place, so that a guest is there as a whole or not at all.
guest_make()
{
	[ ! -d "$(guest_dir "$1")" ] || return 0
	new=$dir/guests/new
	seed=$new/seed
	run rm -rf "$new"
	run mkdir -p "$seed/etc/ssh" "$seed/root/.ssh"
	guest_name "$1" | write "$seed/etc/hostname"
	run ssh-keygen -q -t ed25519 -N '' -C "$(guest_name "$1")" \
		-f "$seed/etc/ssh/ssh_host_ed25519_key"
	run cp "$dir/key.pub" "$seed/root/.ssh/authorized_keys"
	case $(guest_networks "$1") in
	*' '*)
		run mkdir "$seed/etc/sysctl.d"
		echo net.ipv4.ip_forward=1 |
			write "$seed/etc/sysctl.d/router.conf" ;;
	esac
	if [ -n "$script" ]; then
		run mkdir "$seed/sandbox"
		run cp "$dir/first-boot" "$seed/sandbox/first-boot"
	fi
	run chmod 700 "$seed/root" "$seed/root/.ssh"
	run sh -c 'echo "$1 $(cat "$2")" >"$3"' sh "$(guest_name "$1")" \
		"$seed/etc/ssh/ssh_host_ed25519_key.pub" "$new/known_hosts"
	run tar --owner=0 --group=0 -C "$seed" -cf "$new/seed.tar" .
	run rm -r "$seed"
	run mv "$new" "$(guest_dir "$1")"
}

# The socket of guest N on NETWORK: each has one of its own, so that the port
# has its name, and its counters again when it comes back.
guest_socket()
{
	echo "$dir/net/$2.guest$1"
}

guest_listeners()
{
	for net in $(guest_networks "$1"); do
		socket=$(guest_socket "$1" "$net")
		[ -z "$dry" ] && [ -S "$socket" ] && continue
		case $transport in daemon) kind=uml ;; *) kind=$transport ;; esac
		run "$ringctl" --socket "$dir/net/$net.control" \
			listener add "$kind:$socket,name=$(guest_name "$1")"
	done
}

# The words of the kernel's command line that plug guest N in.
guest_cards()
{
	card=0
	for net in $(guest_networks "$1"); do
		socket=$(guest_socket "$1" "$net")
		mac=$(mac "$1" "$net")
		case $transport in
		daemon) echo "eth$card=daemon,$mac,unix,$socket" ;;
		bess) echo "vec$card:transport=bess,dst=$socket,mac=$mac" ;;
		esac
		card=$((card + 1))
	done
}

# What of the machine's files a guest can reach: its kernel's modules.
guest_modules()
{
	for modules in "${kernel%/bin/*}/lib/uml/modules" /usr/lib/uml/modules \
		"$dir/no-modules"; do
		[ ! -d "$modules" ] || break
	done
	echo "$modules"
}

# guest_boot N: what its kernel and its init say goes to console.log; a shell is
# on its second console, a pseudo-terminal.
guest_boot()
{
	g=$(guest_dir "$1")
	guest=$(guest_name "$1")
	run rm -rf "$g/uml" "$g/pid" "$g/console.log"
	# The words of the cards have no blanks in them.
	run background "$g/console.log" sh -c 'echo $$ >"$0"; exec "$@"' "$g/pid" \
		env UML_KERNEL="$kernel" TMPDIR="$memory_place" "$here/uml.sh" \
		umid="$guest" uml_dir="$g/uml" mem="${memory}M" \
		ubd0="$g/disk.cow,$image" ubd1r="$g/seed.tar" root=/dev/ubda rw \
		init=/sandbox/init hostfs="$(guest_modules)" \
		con0=null,fd:1 con1=pts con=null ssl=null $(guest_cards "$1")
}

# guest_pid N: its kernel's pid, as seen in the sandbox, if it runs.
guest_pid()
{
	in_net sh -c 'read -r pid <"$1" && grep -qazx "umid[=]$2" "/proc/$pid/cmdline" &&
		echo "$pid"' sh "$(guest_dir "$1")/pid" "$(guest_name "$1")" 2>/dev/null
}

guest_says()
{
	grep -aqs "^sandbox: $2" "$(guest_dir "$1")/console.log"
}

# How a guest's boot came out, in a word: ready, failed, or nothing as yet.
guest_came_out()
{
	if guest_says "$1" ready; then
		echo ready
	elif grep -aqs '^Kernel panic' "$(guest_dir "$1")/console.log" ||
		{ [ -s "$(guest_dir "$1")/pid" ] &&
			! guest_pid "$1" >/dev/null; }; then
		echo failed
	fi
}

# guests_wait N...: until all answer; a line for each that does not.
guests_wait()
{
	if [ -n "$dry" ]; then
		for n; do
			run until_true "$wait_s" grep -aqs '^sandbox: ready' \
				"$(guest_dir "$n")/console.log"
		done
		return
	fi
	deadline=$(($(date +%s) + wait_s))
	bad='' first=''
	while [ $# -gt 0 ]; do
		late=
		[ "$(date +%s)" -lt "$deadline" ] || late=1
		for n; do
			shift
			case $(guest_came_out "$n") in
			ready) guest_check "$n" && say_first || bad=1 ;;
			failed) bad=1; guest_complain "$n" "did not start" ;;
			*) if [ -z "$late" ]; then
				set -- "$@" "$n"
			else
				bad=1
				guest_complain "$n" "not ready after $wait_s s"
			fi ;;
			esac
		done
		[ $# -eq 0 ] || sleep 0.1
	done
	[ -z "$bad" ]
}

say_first()
{
	[ -n "$first" ] || echo "First ssh after $(since_start)"
	first=1
}

# guest_check N: it says that it is ready; see for ourselves.
guest_check()
{
	log=$(guest_dir "$1")/console.log
	status=$(sed -n 's/^sandbox: first boot ended with status \([0-9]*\).*/\1/p' "$log")
	if ! guest_ssh "$1" true 2>"$dir/ssh.log"; then
		guest_complain "$1" "does not answer ssh: $(tail -n 1 "$dir/ssh.log")"
		return 1
	fi
	if [ "${status:-0}" -ne 0 ]; then
		guest_complain "$1" "first-boot script ended with status $status"
		return 1
	fi
}

# guest_complain N WHAT: with what its kernel said last of a panic, if it did.
guest_complain()
{
	log=$(guest_dir "$1")/console.log
	panic=$(grep -a -m 1 '^Kernel panic' "$log" 2>/dev/null | tr -d '\r')
	echo "sandbox: guest $(guest_name "$1"): $2${panic:+: $panic}; see $log" >&2
}

# guest_ssh N COMMAND...
guest_ssh()
{
	guest=$(guest_name "$1")
	shift
	ssh -F "$dir/ssh_config" "$guest" "$@"
}

# guest_stop N: as its owner would, or at once if it does not listen.
guest_stop()
{
	pid=$(guest_pid "$1") || return 0
	if guest_ssh "$1" -o ConnectTimeout=3 systemctl --no-block poweroff \
		>/dev/null 2>&1 && until_true 40 guest_has_ended "$1"; then
		return
	fi
	say "guest $(guest_name "$1") does not end by itself: killed"
	guest_kill "$pid"
	until_true 5 guest_has_ended "$1"
}

# guest_kill PID: with what its kernel has started.
guest_kill()
{
	in_net sh -c 'kill -KILL "-$1"' sh "$1" 2>/dev/null || :
}

guest_has_ended()
{
	! guest_pid "$1" >/dev/null
}

# ssh(1), scp(1) and all that use them find the guests with this file.
ssh_config()
{
	cat <<-END
		Host *
			User root
			IdentityFile "$dir/key"
			IdentitiesOnly yes
			StrictHostKeyChecking yes
			GlobalKnownHostsFile none
			ConnectTimeout 10
			LogLevel ERROR
			ProxyCommand env SANDBOX_HOME="$home" "$here/sandbox" --name $name proxy %h %p
	END
	for n in $(guests); do
		guest=$(guest_name "$n")
		net=$(guest_networks "$n")
		cat <<-END
			Host $guest $n
				HostName $(address "$n" "${net%% *}")
				HostKeyAlias $guest
				UserKnownHostsFile "$(guest_dir "$n")/known_hosts"
		END
	done
}
