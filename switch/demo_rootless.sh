#!/bin/sh
#
# demo_rootless.sh: no root, no tap; the way out of the switch is passt.
#
#      web1 10.0.0.1      web2 10.0.0.2       passt 10.0.0.254
#            |                  |                  |
#       eth0=daemon      vec0:transport=bess   connect-stream
#            +------------- ringswitch ------------+
#
# passt takes what the guests send to anywhere and does the same with sockets of
# its own, as the user who started it. So they reach a web server that is not on
# their network. Here that is an address of this network namespace, so that the
# demo needs nobody else's; without the namespace it would be the internet.
# Takes some five seconds.
#
# Debian 12's passt is made for one guest: it sends everything to the address
# and the MAC that it last heard from. Two guests can have it in turns, as here,
# or each its own. And it answers ARP for every address but the one it serves
# (--address): that is web1's, so web2 finds web1; web1 is told where web2 is.

user_namespace=always
. "$(dirname "$0")/demo_lib.sh"

server=198.51.100.1

listening()
{
	ss -Hlx src "$1" | grep -q .
}

make_initrd

say "No root, no tap"
step="hiding the tap devices"
read -r _ outer _ </proc/self/uid_map
echo "user $outer, who is root in here only; no /dev/net/tun:"
[ ! -d /dev/net ] || mount -t tmpfs none /dev/net
ls /dev/net/tun 2>&1 && exit 1

say "A web server that is not on the guests' network: $server"
step="starting the web server"
ip link set lo up
ip address add "$server/32" dev lo
mkdir "$work/www"
echo "hello from outside" >"$work/www/index.html"
busybox httpd -f -p "$server:80" -h "$work/www" &
pids=$!

say "passt, and the switch as its client"
step="starting passt"
log=$work/passt.log
# What passt would otherwise take from a network card with a default route.
passt --foreground --stderr --socket "$work/passt.sock" --ipv4-only \
	--interface lo --mac-addr 02:00:00:00:00:fe --address 10.0.0.1 \
	--netmask 24 --gateway 10.0.0.254 --mtu 1500 \
	--dns none --search none </dev/null >"$log" 2>&1 &
pids="$pids $!"
until_true 5 listening "$work/passt.sock"
start_switch --listen bess:"$work/bess.sock" \
	--port connect-stream:"$work/passt.sock",name=uplink

say "Two guests; their consoles are $work/web1.log and web2.log"
step="booting the guests"
boot web1 4 eth0=daemon,02:00:00:00:00:01,unix,"$ctl" ip0=10.0.0.1/24
boot web2 5 vec0:transport=bess,dst="$work/bess.sock",mac=02:00:00:00:00:02 \
	nic0=vec0 ip0=10.0.0.2/24
ready web1
ready web2
step="setting the guests up"
in_guest web1 'ip route add default via 10.0.0.254; arp -s 10.0.0.2 02:00:00:00:00:02'
in_guest web2 'ip route add default via 10.0.0.254'

say "Each fetches a page from the web server, one after the other"
step="fetching a page from web1"
in_guest web1 "wget -q -O - http://$server/"
step="fetching a page from web2"
in_guest web2 "wget -q -O - http://$server/"

say "They ping each other"
step="ping from web1 to web2"
in_guest web1 'ping -c 3 -A -w 10 10.0.0.2'
step="ping from web2 to web1"
in_guest web2 'ping -c 3 -A -w 10 10.0.0.1'

show_counters
