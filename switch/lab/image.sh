# image.sh: Debian's root file system, of which every guest has a copy-on-write
# disk. Built once from Debian's packages, without root and without a loop
# device, and again when its recipe changes.
#
# $home/images has an image for each recipe and size, read only; an image's .log
# is there while it is built and when that has failed.

image_job=

# More than Debian's essential packages and apt.
IMAGE_PACKAGES='systemd-sysv openssh-server iproute2 iputils-ping kmod procps
udhcpc'

# Where the image for the current settings is, or will be.
image_file()
{
	image_settings
	echo "$images/$image_recipe-$disk.ext4"
}

# image_build: unless it is there. Who comes while another builds waits.
image_build()
{
	image_at=$(image_file)
	image_settings
	[ ! -f "$image_at" ] || return 0
	image_check
	if [ -n "$dry" ]; then
		run mkdir -p "$images"
		image_make
		return
	fi
	mkdir -p "$images"
	image_locked 9>&- &
	image_job=$!
	wait "$image_job" || exit 1
	image_job=
}

# image_abandon: for who is interrupted in image_build().
image_abandon()
{
	[ -n "$image_job" ] || return 0
	kill -TERM "$image_job" 2>/dev/null || :
	wait "$image_job" || :
	image_job=
}

# What is left to choose, and the recipe's name: suite, and a hash of the steps,
# whatever the place and the size, with what is put in beside the packages.
image_settings()
{
	image_suite=${suite:-$(image_own_suite)}
	image_packages=$(printf '%s\n' $IMAGE_PACKAGES $packages | sort -u |
		tr '\n' ,)
	image_packages=${image_packages%,}
	image_recipe=$image_suite-$(
		dry=1 image_work=. disk=
		{
			image_debian
			image_pack
			cat "$here/guest_setup.sh"
		} | sha256sum | cut -c 1-12
	)
}

# This machine's own release if it is Debian.
image_own_suite()
{
	(
		. /etc/os-release
		[ "${ID:-}" != debian ] || echo "${VERSION_CODENAME:-}"
	) 2>/dev/null | grep . || echo stable
}

image_check()
{
	case $image_suite in
	*[!a-z0-9-]*) fail "--suite $image_suite: not the name of a release" ;;
	esac
	need mmdebstrap mmdebstrap
	need mke2fs e2fsprogs
	need flock util-linux
	[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ||
		fail "no keys of Debian's: apt-get install debian-archive-keyring"
	[ "$(id -u)" -ne 0 ] || return 0
	need fakeroot fakeroot
	need newuidmap uidmap
	# mmdebstrap looks for the name only.
	me=$(id -un 2>/dev/null || id -u)
	for ids in /etc/subuid /etc/subgid; do
		grep -qs "^$me:" "$ids" ||
			fail "$ids has no line for $me: as root," \
				"usermod --add-subuids 100000-165535" \
				"--add-subgids 100000-165535 $me"
	done
}

# image_space DIRECTORY MIB VARIABLE
image_space()
{
	free=$(df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$free" -ge "$2" ] || fail "no space: $1 has $free MiB, an image" \
		"takes $2 while it is built: make room, or set $3"
}

# Under a lock that goes with the process, so that whatever unfinished is found
# here belongs to nobody.
image_locked()
{
	exec 8>"$images/lock"
	flock -n 8 || {
		say "Another image is being built: waiting for it"
		flock 8
	}
	[ ! -f "$image_at" ] || exit 0
	image_work=$images/new
	image_log=${image_at%.ext4}.log
	image_pid=
	trap 'image_stop' EXIT
	trap 'rm -f "$image_log"; exit 1' INT TERM HUP
	rm -rf "$image_work"
	: >"$image_log"
	image_make || image_failed
	rm -f "$image_log"
}

image_stop()
{
	trap - EXIT
	trap '' INT TERM HUP
	if [ -n "$image_pid" ]; then
		# In its first moment it is no group yet.
		kill -TERM "-$image_pid" 2>/dev/null ||
			kill -TERM "$image_pid" 2>/dev/null || :
		wait "$image_pid" || :
	fi
	rm -rf "$image_work"
	[ -s "$image_log" ] || rm -f "$image_log"
}

# image_run COMMAND...: a step. It is a session of its own, so that all of it
# can be ended.
image_run()
{
	if [ -n "$dry" ]; then
		run "$@"
		return
	fi
	[ -z "$verbose" ] || {
		printf '+ '
		show "$@"
	} >&2
	setsid "$@" </dev/null >>"$image_log" 2>&1 &
	image_pid=$!
	wait "$image_pid" || return 1
	image_pid=
}

image_make()
{
	image_work=$images/new
	image_run mkdir -p "$image_work" || return
	other=$(find "$images" -name "$image_recipe-*.ext4" 2>/dev/null |
		head -n 1)
	if [ -n "$other" ]; then
		say "Image: $image_at, from one of another size"
		image_resize || return
	else
		say "Image: $image_at, this once from Debian's packages"
		image_debian && image_pack || return
	fi
	image_run chmod 444 "$image_work/image" &&
		image_run mv "$image_work/image" "$image_at" &&
		image_run rm -rf "$image_work"
}

# A root file system as a tar. Nothing of what is written needs to survive a
# power failure, which dpkg would take its time for; and who has mistyped a
# package need not wait for all the others.
image_debian()
{
	if [ -z "$dry" ]; then
		image_space "$images" 1000 SANDBOX_HOME
		image_space "${TMPDIR:-/tmp}" 700 TMPDIR
	fi
	mode=unshare
	[ "$(id -u)" -ne 0 ] || mode=root
	setup=$image_work/guest_setup
	image_run cp "$here/guest_setup.sh" "$setup" || return
	image_run mmdebstrap --mode="$mode" --variant=apt \
		--include="$image_packages" \
		--dpkgopt=force-unsafe-io \
		--aptopt='Acquire::http::Timeout "20"' \
		--extract-hook="APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG \
apt-get -qq --simulate install $(echo "$image_packages" | tr , ' ')" \
		--customize-hook="upload $setup /guest_setup" \
		--customize-hook='chroot "$1" sh /guest_setup' \
		"$image_suite" "$image_work/root.tar" ${mirror:+"$mirror"}
}

# The tar as a file system: fakeroot remembers whose the files are. Device nodes
# are the kernel's business.
image_pack()
{
	fakeroot=fakeroot
	[ "$(id -u)" -ne 0 ] || fakeroot=
	image_run $fakeroot sh -ec '
		cd "$1"
		mkdir root
		tar --exclude="./dev/*" -xf root.tar -C root
		rm root.tar
		mke2fs -q -t ext4 -J size=16 -m 1 -L sandbox -d root image "$2"
		rm -r root' sh "$image_work" "$disk"
}

# A copy of the file system grows or shrinks.
image_resize()
{
	image_run cp --sparse=always "$other" "$image_work/image" &&
		image_run chmod 600 "$image_work/image" &&
		image_run truncate -s ">$disk" "$image_work/image" &&
		image_run resize2fs "$image_work/image" "$disk" &&
		image_run truncate -s "<$disk" "$image_work/image"
}

# image_failed: why, in one line, from what the steps have said.
image_failed()
{
	package=$(sed -n "s/^E: Unable to locate package //p
		s/^E: Package '\(.*\)' has no installation candidate/\1/p" \
		"$image_log" | head -n 1)
	if grep -q 'No space left on device' "$image_log"; then
		fail "no space for the image in $images or ${TMPDIR:-/tmp}:" \
			"make room, or set SANDBOX_HOME or TMPDIR; see $image_log"
	elif grep -Eq 'Could not allocate|New size smaller' "$image_log"; then
		fail "--disk $disk is too small for the image; see $image_log"
	elif [ -n "$package" ]; then
		fail "--package $package: not in Debian $image_suite; see $image_log"
	elif grep -q 'does not have a Release file' "$image_log"; then
		fail "--suite $image_suite: not on the mirror; see $image_log"
	elif grep -Eq "Could not (resolve|connect)|Temporary failure|Failed to fetch|Unable to connect" "$image_log"; then
		fail "Debian's mirror cannot be reached: is there a network, or" \
			"another --mirror? See $image_log"
	fi
	fail "no image: $(grep '^E: ' "$image_log" | head -n 1); see $image_log"
}
