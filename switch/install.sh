#!/bin/sh
# install.sh install: put what standard input lists where it says, a line each:
# "MODE SOURCE TARGET" or "link TO TARGET". install.sh uninstall: take all of it
# away again.
#
# $DESTDIR goes before every target. $MANIFEST, if it is not empty, is a file
# beneath it that lists what we have put there: that is what we may replace and
# take away. Anything else belongs to somebody else.
set -eu

DESTDIR=${DESTDIR:-} MANIFEST=${MANIFEST:-}
list=$DESTDIR$MANIFEST
todo=$(mktemp) noted=$(mktemp)
trap 'finish' EXIT

# Also when something has failed half-way: what is there is listed.
finish() {
	[ ! -s "$noted" ] || [ -z "$MANIFEST" ] || cat "$noted" >>"$list"
	rm -f "$todo" "$noted"
}

is_ours() {
	[ -n "$MANIFEST" ] && [ -f "$list" ] && grep -qxF -e "$1" "$list"
}

# A package's, wherever it came from, as long as it is this machine's.
package_of() {
	[ -z "$DESTDIR" ] && command -v dpkg-query >/dev/null &&
		dpkg-query -S "$1" 2>/dev/null | sed -n 's/: .*//p'
}

# Nothing is touched unless all of it may be.
check() {
	while read -r mode source target; do
		[ -n "$mode" ] || continue
		if [ "$mode" != link ] && [ ! -f "$source" ]; then
			echo "make: $source is not there: was it built?" >&2
			return 1
		fi
		at=$DESTDIR$target package=$(package_of "$target") || true
		if [ -n "$package" ]; then
			echo "make: $at is the package $package's: left as it is (choose another PREFIX, or remove the package)" >&2
			return 1
		fi
		if [ -e "$at" ] || [ -L "$at" ]; then
			is_ours "$target" || is_same "$mode" "$source" "$at" || {
				echo "make: $at is somebody else's: left as it is (choose another PREFIX, or move it away)" >&2
				return 1
			}
		fi
	done <"$todo"
}

is_same() {
	if [ "$1" = link ]; then
		[ "$(readlink "$3")" = "$2" ]
	else
		[ ! -L "$3" ] && cmp -s "$2" "$3"
	fi
}

# A folder and those above it, noted with a slash if we make them.
make_folder() {
	[ -z "$1" ] || [ -d "$DESTDIR$1" ] || {
		make_folder "${1%/*}"
		install -d "$DESTDIR$1"
		note "$1/"
	}
}

note() {
	is_ours "$1" || echo "$1" >>"$noted"
}

put() {
	at=$DESTDIR$3
	make_folder "${3%/*}"
	# Beside it first: a program that runs cannot be written to.
	if [ "$1" = link ]; then
		ln -sf "$2" "$at.new"
	else
		install -m "$1" "$2" "$at.new"
	fi
	mv -f "$at.new" "$at"
	note "$3"
}

# Those that are ours and empty now, the innermost first.
take_folders() {
	tac "$todo" | while read -r target; do
		case $target in
		*/) rmdir --ignore-fail-on-non-empty "$DESTDIR$target" ;;
		esac
	done
}

case $1 in
install)
	cat >"$todo"
	check
	[ -z "$MANIFEST" ] || make_folder "${MANIFEST%/*}"
	while read -r mode source target; do
		[ -z "$mode" ] || put "$mode" "$source" "$target"
	done <"$todo"
	;;
uninstall)
	[ -f "$list" ] || {
		echo "make: nothing to take away: no $list" >&2
		exit 1
	}
	cp "$list" "$todo"
	while read -r target; do
		case $target in
		*/) ;;
		*) rm -f "$DESTDIR$target" ;;
		esac
	done <"$todo"
	rm "$list"
	take_folders
	;;
esac
