#!/bin/sh
#
# guest_setup.sh: makes a guest of Debian's packages. image.sh runs it once,
# in the new root file system.
#
# A guest boots with init=/sandbox/init, which unpacks the guest's seed: a tar
# on its second disk that has what is its own. Then Debian's systemd takes over.
# The console gets a line when all of the boot has ended:
#
#     sandbox: first boot ended with status 0      if the seed has a script
#     sandbox: ready
#
# User-Mode Linux pays dearly for every process, so that what only costs time
# is switched off: a boot then takes half of the processor's time.

set -eu

mkdir -p /sandbox /lib/modules

# Before systemd, so that it finds everything of the seed in its place.
cat >/sandbox/init <<'END'
#!/bin/sh
mount -n -t proc proc /proc
# The kernel's modules are in the directory of the host that hostfs= names.
mount -n -t hostfs -o ro none /lib/modules 2>/dev/null
# What says that a step is done is on the disk after what the step has done, or a
# guest that is killed soon has files without their bytes ever after.
if [ ! -e /sandbox/seeded ] && [ -b /dev/ubdb ]; then
	tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
	# What is there already, such as /root, keeps its owner and mode.
	if tar -xf /dev/ubdb -C / -p --no-same-owner --no-overwrite-dir; then
		sync
		echo >/sandbox/seeded
	else
		echo "sandbox: the seed on /dev/ubdb cannot be unpacked"
	fi
fi
# ps and top of Debian 12 fail on a processor that does not name its core.
if ! grep -q '^core id' /proc/cpuinfo; then
	sed '/^processor/a core id\t\t: 0' /proc/cpuinfo >/sandbox/cpuinfo
	mount -n --bind /sandbox/cpuinfo /proc/cpuinfo
fi
# What systemd says on the console is for a file.
export SYSTEMD_COLORS=0
exec /sbin/init "$@"
END

# Each card by DHCP, whatever transport it has.
cat >/sandbox/network <<'END'
#!/bin/sh
for card in /sys/class/net/eth* /sys/class/net/vec*; do
	[ -e "$card" ] || continue
	card=${card##*/}
	ip link set "$card" up
	# In the background once there is an address, or after three seconds.
	udhcpc -i "$card" -b -t 3 -T 1 -A 2 -O staticroutes -s /sandbox/dhcp
done
END

# udhcpc calls this with what it has been told in the environment.
cat >/sandbox/dhcp <<'END'
#!/bin/sh
case $1 in
deconfig)
	ip -4 address flush dev "$interface"
	;;
bound | renew)
	ip -4 address replace "$ip/$mask" dev "$interface"
	# RFC 3442: who knows of static routes has the default route in them.
	set -- ${staticroutes:-${router:+0.0.0.0/0 ${router%% *}}}
	while [ $# -ge 2 ]; do
		ip -4 route replace "$1" via "$2" dev "$interface"
		shift 2
	done
	[ -z "$dns" ] || {
		[ -z "$domain" ] || echo "search $domain"
		printf 'nameserver %s\n' $dns
	} >/etc/resolv.conf
	;;
esac
END

cat >/sandbox/ready <<'END'
#!/bin/sh
exec </dev/null >/dev/console 2>&1
if [ -e /sandbox/first-boot ] && [ ! -e /sandbox/first-boot.status ]; then
	status=0
	(cd /root && exec /sandbox/first-boot) || status=$?
	sync
	echo "$status" >/sandbox/first-boot.status
	printf '\nsandbox: first boot ended with status %s\n' "$status"
fi
printf '\nsandbox: ready\n'
END
chmod 755 /sandbox/*

cat >/etc/systemd/system/sandbox-network.service <<'END'
[Unit]
Description=Network cards (DHCP)
Wants=network.target
Before=network.target network-online.target

[Service]
Type=forking
GuessMainPID=no
ExecStart=/sandbox/network
ExecReload=busybox killall -USR1 udhcpc

[Install]
WantedBy=multi-user.target network-online.target
END

cat >/etc/systemd/system/sandbox-ready.service <<'END'
[Unit]
Description=First boot's script, and word to the host
After=multi-user.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sandbox/ready
Environment=HOME=/root LANG=C.UTF-8
TimeoutStartSec=infinity

[Install]
WantedBy=graphical.target
END

# No login: who can open the host's end of it can do anything else as well.
cat >/etc/systemd/system/sandbox-console.service <<'END'
[Unit]
Description=A shell on the second console

[Service]
User=root
WorkingDirectory=/root
Environment=TERM=linux LANG=C.UTF-8
ExecStart=/bin/bash --login
StandardInput=tty
StandardOutput=tty
TTYPath=/dev/tty1
TTYReset=yes
KillSignal=SIGHUP
Restart=always

[Install]
WantedBy=multi-user.target
END

# Nobody comes in but with the key that is in the seed.
rm -f /etc/ssh/ssh_host_*
cat >/etc/ssh/sshd_config.d/sandbox.conf <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
END
echo LANG=C.UTF-8 >/etc/default/locale
# Each login and each command would pay for it.
rm -f /etc/update-motd.d/* /etc/motd

mkdir -p /etc/systemd/system.conf.d
cat >/etc/systemd/system.conf.d/sandbox.conf <<'END'
[Manager]
DefaultTimeoutStopSec=10s
END

cat >/etc/hosts <<'END'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
END
echo localhost >/etc/hostname
# Without the second, systemd would take this for a machine's very first boot,
# and switch all units to what Debian starts with. The first is the builder's.
rm -f /etc/resolv.conf /etc/fstab
echo 00000000000000000000000000000001 >/etc/machine-id

systemctl --quiet enable sandbox-network sandbox-ready sandbox-console
# Some of them are not there in every release of Debian.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer \
	ldconfig.service systemd-journal-catalog-update.service \
	systemd-update-done.service systemd-tmpfiles-clean.timer \
	getty@tty1.service getty-static.service \
	systemd-ask-password-console.path systemd-ask-password-wall.path \
	systemd-binfmt.service systemd-firstboot.service \
	systemd-machine-id-commit.service systemd-modules-load.service \
	systemd-pcrphase.service systemd-pstore.service \
	systemd-random-seed.service systemd-remount-fs.service \
	systemd-repart.service systemd-tmpfiles-setup-dev.service \
	systemd-tmpfiles-setup-dev-early.service \
	systemd-sysusers.service systemd-update-utmp.service \
	systemd-update-utmp-runlevel.service kmod-static-nodes.service \
	modprobe@.service dev-hugepages.mount dev-mqueue.mount \
	sys-fs-fuse-connections.mount \
	sys-kernel-config.mount sys-kernel-debug.mount \
	sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount; do
	ln -sf /dev/null "/etc/systemd/system/$unit"
done
rm -f "$0"
