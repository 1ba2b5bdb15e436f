#!/bin/sh
#
# database.sh: a database and its replica; what is written to one is read from
# the other. The link between them is cut, and replication catches up when it is
# back.
#
#     db1 10.44.0.11 ---- ringswitch --x-- db2 10.44.0.12
#
# database_guest.sh is what each guest does at its first boot. The guests stay,
# to be looked at, if this is called with "keep".

set -eu

here=$(cd "$(dirname "$0")" && pwd)

db()
{
	"$here/sandbox" --name database "$@"
}

# sql GUEST STATEMENT
sql()
{
	echo "$2" | db ssh "$1" "cd / && su postgres -c 'psql -qtA lab'"
}

# The words that db2 has.
words()
{
	sql db2 "select word from said order by word" | tr '\n' ' '
}

# has WORD SECONDS: whether db2 has it before that time is over.
has()
{
	for _ in $(seq "$2"); do
		case " $(words)" in *" $1 "*) return 0 ;; esac
		sleep 1
	done
	return 1
}

fail()
{
	echo "database.sh: $*" >&2
	exit 1
}

! db status >/dev/null 2>&1 || {
	echo "database.sh: there is a sandbox database: sandbox --name database destroy" >&2
	exit 1
}
[ "${1:-}" = keep ] || trap 'db destroy' EXIT
db up --names db1,db2 --package postgresql --script "$here/database_guest.sh"

echo "A row is written to db1, and read from db2:"
sql db1 "insert into said values ('hello')"
has hello 20 || fail "db2 has not got it"
words && echo

echo "db2's link is cut, and db1 gets another row:"
db ctl port down db2
sql db1 "insert into said values ('again')"
behind=$(sql db1 "select pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)
	from pg_stat_replication")
[ "$behind" -gt 0 ] || fail "db2 is not behind"
echo "db2 is $behind bytes of the log behind"

echo "The link is back, and db2 catches up:"
db ctl port up db2
has again 60 || fail "db2 has not caught up"
words && echo
