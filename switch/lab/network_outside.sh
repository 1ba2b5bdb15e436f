# network_outside.sh: from a sandbox's networks to the outside, and what may be
# in the way; what --host changes on the machine, and how it is given back.

network_tools()
{
	need ip iproute2
	need nft nftables
	need dnsmasq dnsmasq-base
	need sysctl procps
	check_tun
}

network_check()
{
	network_tools
	check_paths
	[ -z "$host" ] || [ "$(id -u)" -eq 0 ] ||
		fail "--host: only root may change the machine's network: sudo," \
			"or do without --host"
	for net in $(network_names); do
		check_addresses "$net"
		[ -z "$host" ] || ! ip link show dev "$(tap_of "$net")" >/dev/null 2>&1 ||
			fail "--host: there is a device $(tap_of "$net") already:" \
				"--name for another sandbox, or ip link delete it"
	done
	[ -z "$host" ] || check_firewall
}

check_tun()
{
	[ -e /dev/net/tun ] || fail "no /dev/net/tun: modprobe tun (as root)"
	why=$( (: <>/dev/net/tun) 2>&1) && return
	why="cannot open /dev/net/tun: ${why##*: }"
	case $why in
	*'No such device') fail "$why: modprobe tun (as root)" ;;
	esac
	fail "$why: chmod 666 /dev/net/tun (as root; Debian has it so), or run" \
		"as root"
}

# An address of a UNIX socket has 107 bytes.
check_paths()
{
	for net in $(network_names); do
		at=$dir/net/$net.control
		[ ${#at} -le 107 ] ||
			fail "$at: longer than the 107 bytes that a socket's" \
				"path may have: SANDBOX_HOME for another place"
	done
}

# check_addresses NET: who else has them on this machine.
check_addresses()
{
	range=$(network_prefix "$1").0/24
	other=$( {
		ip -4 route show table all root "$range"
		ip -4 route show table all match "$range"
	} | sed '/^default/d; s/ *$//; q')
	[ -n "$other" ] || return 0
	[ -z "$host" ] || fail "network $1: $range is in use on this machine" \
		"($other): --network $1=A.B.C.0/24 for another"
	say "Guests will not reach the machine's $other: network $1 has these" \
		"addresses; --network $1=A.B.C.0/24 for others"
}

# Other tables' rules count as well as ours: where one drops, ours cannot help.
check_firewall()
{
	nft list chains | awk '
		$1 == "table" { table = $2 " " $3 }
		$1 == "chain" { chain = $2 }
		/type filter hook (input|forward) .*policy drop/ && !/^ *#/ {
			print $4, table, chain
		}' | while read -r hook family table_name chain; do
		rules="nft insert rule $family $table_name $chain iifname"
		tap=$(taps | head -n 1)
		case $hook in
		input) rules="$rules $tap accept" ;;
		*) rules="$rules $tap accept, and the same with oifname" ;;
		esac
		say "The machine's firewall may keep guests away from the $(
			[ "$hook" = input ] && echo machine || echo outside
		) ($family $table_name $chain drops what it does not know): $rules"
	done
}

# Whether guests will reach the outside; if not, a line has said why.
network_has_outside()
{
	if [ -z "${outside+known}" ]; then
		why=
		if [ -z "$(ip -4 route show default)" ]; then
			why='the machine has no default route'
		elif [ -z "$host" ] && ! command -v pasta >/dev/null; then
			why='no pasta: apt-get install passt'
		fi
		outside=1
		[ -z "$why" ] || outside=
		[ -z "$why" ] || say "Guests will not reach the outside: $why"
	fi
	[ -n "$outside" ]
}

translation_table()
{
	if [ -n "$host" ]; then
		echo "ringswitch_$name"
	else
		echo sandbox
	fi
}

# Guests reach the outside with the machine's address; nobody reaches them from
# there, and no network another's but through a guest that is on both. pasta (of
# 2023) sends segments without any flag, which are nobody's as no translation
# knows them; the answer to them would end the connection.
translation()
{
	devices=$(taps | sed 's/.*/"&"/' | paste -s -d ,)
	ranges=$(for net in $(network_names); do
		echo "$(network_prefix "$net").0/24"
	done | paste -s -d ,)
	cat <<-END
		table ip $(translation_table) {
			chain forward {
				type filter hook forward priority filter; policy accept;
				iifname { $devices } ip saddr != { $ranges } drop
				oifname { $devices } ct state established,related accept
				oifname { $devices } drop
			}
			chain input {
				type filter hook input priority filter; policy accept;
				iifname "outside" ct state invalid drop
			}
			chain postrouting {
				type nat hook postrouting priority srcnat; policy accept;
				ip saddr { $ranges } oifname != { $devices } masquerade
			}
		}
	END
}

# pasta does for the sandbox what passt does for one guest. What it has for
# guests themselves is not asked for: ports of theirs on the machine, the
# machine's own services at the gateway's address.
uplink_start()
{
	run uplink "$dir/net/uplink.log" --config-net --ipv4-only \
		--ns-ifname outside --mtu 1500 --address "$uplink_address" \
		--netmask 24 --gateway "$uplink_gateway" \
		--dns-forward "$uplink_names" --no-map-gw \
		-t none -u none -T none -U none
	run until_true 5 in_net sh -c 'ip route show default | grep -q .' ||
		say "Guests will not reach the outside: pasta does not work; see" \
			"$dir/net/uplink.log"
}

# forwarding_on: with --host, an empty table says that it was off. Like that, it
# is gone after a boot, and it is one for all sandboxes with --host.
forwarding_was_off=ringswitch-forwarding-was-off

forwarding_on()
{
	if [ -z "$host" ]; then
		run in_net sysctl -q -w net.ipv4.ip_forward=1
	elif [ "$(cat /proc/sys/net/ipv4/ip_forward)" -eq 0 ]; then
		run nft add table ip "$forwarding_was_off"
		run sysctl -q -w net.ipv4.ip_forward=1
	fi
}

# host_claim: from here on, and until the next boot, the devices and the table
# that have this sandbox's name are its own.
boot_id=/proc/sys/kernel/random/boot_id

host_claim()
{
	run cp "$boot_id" "$dir/net/on_host"
}

host_give_back()
{
	[ -f "$dir/net/on_host" ] || return 0
	[ "$(cat "$dir/net/on_host")" = "$(cat $boot_id)" ] || return 0
	for tap in $(taps); do
		! ip link show dev "$tap" >/dev/null 2>&1 ||
			run ip link delete "$tap"
	done
	! has_table "$(translation_table)" ||
		run nft delete table ip "$(translation_table)"
	if has_table "$forwarding_was_off" && ! others_on_host; then
		run sysctl -q -w net.ipv4.ip_forward=0
		run nft delete table ip "$forwarding_was_off"
	fi
	run rm "$dir/net/on_host"
}

has_table()
{
	nft list table ip "$1" >/dev/null 2>&1
}

others_on_host()
{
	nft list tables ip | grep ' ringswitch_' |
		grep -qv " $(translation_table)\$"
}
