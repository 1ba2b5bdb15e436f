#!/bin/sh
#
# What the guests of database.sh do at their first boot.

set -eu

cluster="15 main"
at=/etc/postgresql/15/main

as_postgres()
{
	su postgres -c "$1"
}

case $(hostname) in
db1)
	echo "listen_addresses = '*'" >>"$at/conf.d/lab.conf"
	echo "host replication replica 10.44.0.0/24 trust" >>"$at/pg_hba.conf"
	pg_ctlcluster $cluster restart
	as_postgres "createuser --replication replica"
	as_postgres "createdb lab"
	as_postgres "psql -qc 'create table said (word text)' lab"
	;;
db2)
	pg_ctlcluster $cluster stop
	rm -rf /var/lib/postgresql/15/main
	until pg_isready -q -h db1 -U replica; do
		sleep 1
	done
	until as_postgres "pg_basebackup --checkpoint fast --write-recovery-conf --host db1 \
	    --username replica --pgdata /var/lib/postgresql/15/main"; do
		rm -rf /var/lib/postgresql/15/main
		sleep 1
	done
	# A connection that nothing comes from is given up soon.
	echo "wal_receiver_timeout = 3s
wal_retrieve_retry_interval = 500ms" >>"$at/conf.d/lab.conf"
	pg_ctlcluster $cluster start
	;;
esac
