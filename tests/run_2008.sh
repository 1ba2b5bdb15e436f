#!/bin/sh
#
# run.sh: a few servers on one machine and on one network, as it was done in
# 2008. tests/system_run_2008.py runs it, as it stands here: it is a specimen,
# so it is not to be made better, safer or newer.
#
# It is nobody's text. It is written after several of the time and does what
# they all do: the User Mode Linux HOWTO (the switch with a tap for the host,
# ubd0=, eth0=daemon, con=null), the notes of Debian's uml-utilities (tunctl -u,
# uml_switch -tap), and start-up scripts of networking courses (the loop, the
# guests' output in files, masquerading at the end).
#
# What the texts have done before, once and by hand, and as root:
#
#     dd if=/dev/zero of=root_fs bs=1M count=... ; mkfs.ext3 root_fs
#     mount -o loop root_fs /mnt                  and a system put into it
#     cp root_fs root_fs_1; mount -o loop root_fs_1 /mnt
#     vi /mnt/etc/network/interfaces              address 192.168.0.1, and so on
#
# And after: ssh root@192.168.0.1

# A network card for the host, and the switch that it and the guests are on.
tunctl -u root -t tap0
ifconfig tap0 192.168.0.254 netmask 255.255.255.0 up
uml_switch -tap tap0 -daemon

# The servers.
for i in 1 2
do
	linux ubd0=root_fs_$i umid=web$i mem=128M eth0=daemon \
		con=null con0=null,fd:1 >web$i.log 2>&1 &
done

# The way out.
echo 1 >/proc/sys/net/ipv4/ip_forward
iptables -t nat -A POSTROUTING -s 192.168.0.0/24 -o eth0 -j MASQUERADE
