#!/bin/sh
#
# web.sh: two web servers behind a load balancer; one is killed, requests go on.
#
#     host 10.44.0.1 ---- lb 10.44.0.11 --+-- web1 10.44.0.12
#                                         +-- web2 10.44.0.13
#
# web_guest.sh is what each guest does at its first boot. The guests stay, to be
# looked at, if this is called with "keep".

set -eu

here=$(cd "$(dirname "$0")" && pwd)

web()
{
	"$here/sandbox" --name web "$@"
}

# requests COUNT: how many of them each server has answered. One that nobody
# answers ends this script.
requests()
{
	answers=
	for _ in $(seq "$1"); do
		answers="$answers$(web exec curl -sS --fail --max-time 10 http://10.44.0.11/)
"
	done
	printf '%s' "$answers" | sort | uniq -c
}

# expect TEXT ANSWERS
expect()
{
	case $2 in
	*"$1"*) ;;
	*)
		echo "web.sh: '$1' was expected" >&2
		exit 1 ;;
	esac
}

! web status >/dev/null 2>&1 || {
	echo "web.sh: there is a sandbox web: sandbox --name web destroy" >&2
	exit 1
}
[ "${1:-}" = keep ] || trap 'web destroy' EXIT
web up --names lb,web1,web2 --package haproxy,nginx-light \
	--script "$here/web_guest.sh"

echo "Eight requests from the host:"
answered=$(requests 8)
echo "$answered"
expect "4 web1" "$answered"
expect "4 web2" "$answered"

echo "web1's plug is pulled. Eight more:"
web kill web1
answered=$(requests 8)
echo "$answered"
expect "8 web2" "$answered"

echo "web1 is back; lb sees that and asks both again:"
web start web1
until_both=20
until answered=$(requests 8) && echo "$answered" | grep -q web1; do
	until_both=$((until_both - 1))
	[ "$until_both" -gt 0 ] || break
done
echo "$answered"
expect web1 "$answered"
