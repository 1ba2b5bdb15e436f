#!/bin/sh
#
# uml.sh ARGUMENTS...: run linux.uml (or $UML_KERNEL), also on machines where it
# would not.
#
# On processors with AMX a UML kernel before 6.13 cannot start any process
# (uml_xstate.c says why and helps). The helper is compiled on the spot, and
# only there: everywhere else this is linux.uml and nothing more.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
helper=$here/../../build/uml_xstate.so

make_helper()
{
	mkdir -p "${helper%/*}"
	"${CC:-cc}" -O2 -shared -fPIC -o "$helper.$$" "$here/uml_xstate.c"
	mv "$helper.$$" "$helper"
}

if grep -qw amx_tile /proc/cpuinfo; then
	[ -n "$(find "$helper" -newer "$here/uml_xstate.c" 2>/dev/null)" ] ||
		make_helper
	export LD_PRELOAD="$helper"
fi
exec "${UML_KERNEL:-linux.uml}" "$@"
