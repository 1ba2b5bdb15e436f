# network.sh: the networks of a sandbox: for each a tap, a switch, and a dnsmasq
# that gives addresses and answers to names.
#
#     guests --- ringswitch --- tap0 PREFIX.1 --- translation --- outside
#                                 |
#                              dnsmasq
#
# By default all of it is in the sandbox's own network namespace, and the way to
# the outside is pasta, which does with sockets of its own what the guests do: so
# nothing on the machine changes, and root is not needed. With --host it is on
# the machine itself.
#
# The way to the outside, and what may be in the way, is in network_outside.sh.
# network_up begins, network_down ends; network_guest tells dnsmasq of a guest.

. "$here/network_outside.sh"

# Found out and made up below.
unset outside routes

# The outside as the sandbox sees it, when pasta is the way there. Whatever is
# sent to the name server goes to the one that the machine uses itself.
uplink=169.254.2
uplink_gateway=$uplink.1 uplink_address=$uplink.2 uplink_names=$uplink.3

network_up()
{
	network_check
	network_has_outside || :
	# Sockets of one that was killed still seem to be somebody's for a moment.
	run rm -rf "$dir/net"
	run mkdir -p "$dir/net/dhcp-hosts" "$dir/net/dhcp-options" "$dir/net/hosts"
	[ -z "$host" ] || host_claim
	network_routes_write
	for net in $(network_names); do
		tap_make "$net"
		switch_start "$net"
	done
	translation | write "$dir/net/translation.nft"
	on_network nft -f "$dir/net/translation.nft"
	forwarding_on
	[ -z "$outside" ] || [ -n "$host" ] || uplink_start
	for net in $(network_names); do
		dnsmasq_start "$net"
	done
}

# on_network COMMAND...: where the taps are.
on_network()
{
	if [ -n "$host" ]; then
		run "$@"
	else
		run in_net "$@"
	fi
}

# What killing the holder leaves behind: only with --host there is something.
network_down()
{
	[ -z "$host" ] || host_give_back
}

network_prefix()
{
	for pair in $networks; do
		[ "${pair%%=*}" != "$1" ] || echo "${pair#*=}"
	done
}

# network_index NET: 0 is the first one.
network_index()
{
	index=0
	for pair in $networks; do
		[ "${pair%%=*}" != "$1" ] || echo "$index"
		index=$((index + 1))
	done
}

# tap_of NET: the machine's own have the sandbox's name in theirs, in 15 bytes.
tap_of()
{
	if [ -z "$host" ]; then
		echo "tap$(network_index "$1")"
	elif [ ${#name} -le 11 ]; then
		echo "$name-$(network_index "$1")"
	else
		printf '%.6s%.5s-%s\n' "$name" "$(echo "$name" | cksum)" \
			"$(network_index "$1")"
	fi
}

taps()
{
	for net in $(network_names); do
		tap_of "$net"
	done
}

# tap_make NET: it stays when the switch ends, so that a switch can be stopped
# and started again under the guests.
tap_make()
{
	tap=$(tap_of "$1")
	on_network ip tuntap add "$tap" mode tap
	on_network ip address add "$(network_prefix "$1").1/24" dev "$tap"
	on_network ip link set "$tap" up
}

# switch_start NET: with --daemon it returns when guests can attach, or fails.
switch_start()
{
	at=$dir/net/$1
	run logged "$at.log" "$ringswitch" --daemon --pidfile "$at.pid" \
		--listen "uml:$at.ctl" --listen "bess:$at.bess" \
		--listen "vde:$at.vde" --listen "stream:$at.stream" \
		--control "$at.control" --monitor none --tap "$(tap_of "$1")" ||
		fail "network $1: $(tail -n 1 "$at.log")"
}

# dnsmasq_start NET: it returns when it answers, or fails.
dnsmasq_start()
{
	at=$dir/net/$1
	dnsmasq_conf "$1" | write "$at.dnsmasq"
	run logged "$at.dnsmasq.log" dnsmasq --conf-file="$at.dnsmasq" && return
	why=$(tail -n 1 "$at.dnsmasq.log")
	case $why in
	*'in use'*) why="$why; has the machine a name server or a DHCP server \
that listens on all addresses? (dnsmasq: bind-interfaces; named: listen-on)" ;;
	esac
	fail "network $1: $why"
}

# Each network has its own dnsmasq: several on one machine do not take each
# other's requests as long as each is bound to one device. Guests have addresses
# by their cards; from 211 on there are some for whoever else attaches.
dnsmasq_conf()
{
	prefix=$(network_prefix "$1")
	cat <<-END
		interface=$(tap_of "$1")
		except-interface=lo
		bind-interfaces
		user=root
		group=
		pid-file=$dir/net/$1.dnsmasq.pid
		log-facility=$dir/net/$1.dnsmasq.log
		dhcp-leasefile=$dir/net/$1.leases
		dhcp-authoritative
		dhcp-range=set:$1,$prefix.211,$prefix.250,255.255.255.0,1h
		dhcp-hostsdir=$dir/net/dhcp-hosts
		dhcp-optsdir=$dir/net/dhcp-options
		dhcp-ignore-names=tag:known
		no-hosts
		hostsdir=$dir/net/hosts
		localise-queries
		domain-needed
		local=/$(backwards "$prefix").in-addr.arpa/
	END
	[ -n "$host" ] || echo no-resolv
	[ -n "$host" ] || [ -z "$outside" ] || echo "server=$uplink_names"
}

# backwards A.B.C
backwards()
{
	echo "$1" | awk -F . '{ print $3 "." $2 "." $1 }'
}

# network_guest N: its addresses and its name, and the ways through it. dnsmasq
# sees new files by itself. (It must not get a SIGHUP: 2.90 may die of one, with a
# double free, once it has given a guest with a tag its address.)
network_guest()
{
	guest=$(guest_name "$1")
	for net in $(guest_networks "$1"); do
		echo "$(mac "$1" "$net"),set:$1-$net,$(address "$1" "$net"),$guest"
	done | write_if_new "$dir/net/dhcp-hosts/$1"
	for net in $(guest_networks "$1"); do
		echo "$(address "$1" "$net") $guest $guest.$net"
	done | write_if_new "$dir/net/hosts/$1"
	network_routes_write
}

# Of options for the same tag, dnsmasq takes those that it has read last.
network_routes_write()
{
	now=$(network_routes)
	[ "$now" != "${routes-}" ] || return 0
	routes=$now
	echo "$routes" | write_if_new "$dir/net/dhcp-options/routes"
}

# write_if_new FILE: a file that stays the same is not to be seen as new.
write_if_new()
{
	text=$(cat)
	[ -z "$dry" ] && [ "$(cat "$1" 2>/dev/null)" = "$text" ] ||
		echo "$text" | write "$1"
}

# A guest on two networks is the way from one to the other, for all others there.
# Each card has a tag, and by that the routes it is told (RFC 3442), the default
# one among them if it is its guest's first. Nothing to say without such guests.
network_routes()
{
	printf '%s' "$table" | awk -v networks="$networks" '
	function routes(a, guest, first,    i, b, text) {
		for (i = 1; i <= count; i++) {
			b = net[i]
			if (!((guest, b) in is_on) && (a, b) in via && !told[guest, b]++)
				text = text "," prefix[b] ".0/24," via[a, b]
		}
		return first ? text ",0.0.0.0/0," prefix[a] ".1" : text
	}
	function option(tag, text) {
		if (text)
			print tag ",option:classless-static-route" text
	}
	BEGIN {
		count = split(networks, net, " ")
		for (i = 1; i <= count; i++) {
			split(net[i], pair, "=")
			net[i] = pair[1]
			prefix[pair[1]] = pair[2]
		}
	}
	{
		guest[NR] = $1
		on[NR] = $3
		cards = split($3, mine, ",")
		for (i = 1; i <= cards; i++) {
			is_on[$1, mine[i]] = 1
			for (j = 1; j <= cards; j++)
				if (i != j && !((mine[i], mine[j]) in via)) {
					via[mine[i], mine[j]] = \
						prefix[mine[i]] "." 10 + $1
					routers = 1
				}
		}
	}
	END {
		for (g = 1; routers && g <= NR; g++) {
			cards = split(on[g], mine, ",")
			for (i = 1; i <= cards; i++) {
				tag = "tag:" guest[g] "-" mine[i]
				option(tag, routes(mine[i], guest[g], i == 1))
				if (i > 1)
					print tag ",option:router"
			}
		}
		for (i = 1; routers && i <= count; i++)
			option("tag:" net[i] ",tag:!known", routes(net[i], "", 1))
	}'
}
