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

. "$(dirname "$0")/demo_lib.sh"

make_initrd

say "The switch, with the host on it through tap0"
start_switch --tap tap0
ip address add 10.0.0.254/24 dev tap0
ip -brief address show dev tap0

say "Two guests; their consoles are $work/web1.log and web2.log"
step="booting the guests"
boot web1 4 eth0=daemon,02:00:00:00:00:01,unix,"$ctl" ip0=10.0.0.1/24
boot web2 5 eth0=daemon,02:00:00:00:00:02,unix,"$ctl" ip0=10.0.0.2/24
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

show_counters
