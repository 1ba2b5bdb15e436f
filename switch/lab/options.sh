# options.sh: what the sandbox is asked for, and what it is made with.

usage()
{
	cat <<'END'
usage: sandbox [--name NAME] COMMAND [OPTION]...

  up [N]                 guests 1 to N run and answer ssh; 2 if not said
  add [N]                so many more; one if not said
  ssh GUEST [COMMAND]    a shell in it, or a command; GUEST: number or name
  console GUEST          its second console; Ctrl-] leaves it
  ctl [NETWORK] COMMAND  ringctl at the network's switch
  exec COMMAND           in the sandbox's network, beside the host's tap
  status                 who runs, where, in how much memory
  list                   the sandboxes that there are, and their disks' size
  stop GUEST...          power them off
  kill GUEST...          pull their plugs
  start GUEST...         and on again
  down                   stop all; the disks stay
  destroy                and they go
  image                  only build the root file system

  --name NAME            which sandbox, if there are several: "sandbox"
  --names A,B,...        the guests' names: guest1, guest2, ...
  --network NAME[=A.B.C.0/24]
                         a switch; more than once for more: lan=10.44.0.0/24
  --on GUEST=NET[,NET]   its networks, else the first one; a guest on two is a
                         router between them
  --memory MIB           for each guest: 192
  --disk SIZE            for each guest, in G: 2G
  --package P[,P]...     to have in the image; more than once for more
  --script FILE          run in each guest at its first boot
  --transport KIND       daemon or bess; else what the guests' kernel has
  --kernel FILE          the guests' kernel: linux.uml
  --suite S, --mirror M  Debian's release, and where to get it
  --host                 tap and address translation on the host itself
  --wait SECONDS         for the guests to answer: 120
  --dry-run              show the steps as a script, do nothing
  --verbose              show the steps while doing them
END
}

usage_error()
{
	echo "sandbox: $* (sandbox --help)" >&2
	exit 2
}

# What a sandbox is made with, and keeps.
SETTINGS='memory disk packages script transport kernel suite mirror host
networks image table'

LONG=help,dry-run,verbose,name:,names:,network:,on:,memory:,disk:,package:
LONG=$LONG,script:,transport:,kernel:,suite:,mirror:,host,wait:

parse_command_line()
{
	dry='' verbose='' name=sandbox wait_s=120 names='' on=''
	memory='' disk='' packages='' script='' transport='' kernel='' suite=''
	mirror='' host='' networks='' image='' table=''
	parsed=$(getopt -n sandbox -o +h --long "$LONG" -- "$@") || exit 2
	eval "first_options $parsed"
	[ -n "$command" ] || usage_error "no command"
	case $command in
	ssh | proxy | console | ctl | exec)
		find_sandbox
		return ;;
	esac
	# What is left may have its options before, between or behind the words.
	parsed=$(eval "getopt -n sandbox -o h --long $LONG -- $early $words") ||
		exit 2
	eval "find_name $parsed"
	find_sandbox
	eval "take_options $parsed"
}

# first_options GETOPT'S WORDS...: sets $command; $early, the options before it,
# and $words, what is behind it, as text for eval.
first_options()
{
	command='' early=''
	while [ "$1" != -- ]; do
		[ "$1" != --name ] || name=$2
		early="$early $(quote "$1")"
		shift
	done
	shift
	[ $# -eq 0 ] || { command=$1; shift; }
	words=$(quote "$@")
	case " $early " in *" --help "* | *" -h "*) usage; exit 0 ;; esac
}

find_name()
{
	while [ "$1" != -- ]; do
		[ "$1" != --name ] || name=$2
		shift
	done
}

# Where it is, and what it was made with if it was.
find_sandbox()
{
	is_name "$name" || usage_error "--name $name: not a name"
	[ "$name" != images ] || usage_error "--name images: is for the images"
	home=${SANDBOX_HOME:-${XDG_DATA_HOME:-${HOME:-}/.local/share}/ringswitch}
	dir=$home/$name images=$home/images
	is_plain "$home" || fail "$home: not an absolute path of letters, digits" \
		"and ._@+-: set SANDBOX_HOME"
	is_plain "$here" || fail "$here: the way to this program is not of" \
		"letters, digits and ._@+- only: move it"
	[ ${#dir} -le 60 ] || fail "$dir: too long for the sockets in it:" \
		"set SANDBOX_HOME"
	made=
	if [ -f "$dir/settings" ]; then
		made=1
		. "$dir/settings"
		[ -z "$host" ] || verbose=1
	elif [ -d "$dir" ] && [ ! -f "$dir/lock" ] && [ -n "$(ls "$dir")" ]; then
		fail "$dir is not a sandbox: --name or SANDBOX_HOME for another place"
	fi
}

# Paths go through other programs' languages: ssh's, the kernel's, dnsmasq's.
is_plain()
{
	case $1 in
	[!/]* | *[!A-Za-z0-9_./@+-]*) return 1 ;;
	esac
}

# A name for a guest, as RFC 1123 has it, or anything else; not a number.
is_name()
{
	case $1 in
	'' | [!a-z]* | *[!a-z0-9-]* | *-) return 1 ;;
	esac
	[ ${#1} -le 30 ]
}

# is_number TEXT LOWEST HIGHEST
is_number()
{
	case $1 in
	'' | *[!0-9]* | 0* | ????????*) return 1 ;;
	esac
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# is_prefix A.B.C
is_prefix()
{
	byte='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
	echo "$1" | grep -Eqx "$byte\.$byte\.$byte"
}

take_options()
{
	more_packages='' more_networks=''
	while [ "$1" != -- ]; do
		case $1 in
		--help | -h) usage; exit 0 ;;
		--dry-run) dry=1 ;;
		--verbose) verbose=1 ;;
		--host) choose host 1; verbose=1 ;;
		*) take_option "${1#--}" "$2"; shift ;;
		esac
		shift
	done
	shift
	[ -z "$more_packages" ] || choose packages "${more_packages# }"
	[ -z "$more_networks" ] || choose networks "${more_networks# }"
	words=$(quote "$@")
}

take_option()
{
	case $1 in
	name) ;;
	names)
		names=$(echo "$2" | tr , ' ') ;;
	on)
		case $2 in *?=?*) ;; *) usage_error "--on $2: not GUEST=NETWORK" ;; esac
		case $on in *" ${2%%=*}="*) usage_error "--on $2: ${2%%=*} twice" ;; esac
		[ -z "$(echo "${2#*=}" | tr , '\n' | sort | uniq -d)" ] ||
			usage_error "--on $2: a network twice"
		on="$on $2" ;;
	wait)
		is_number "$2" 1 3600 || usage_error "--wait $2: not 1 to 3600"
		wait_s=$2 ;;
	memory)
		is_number "$2" 64 65536 || usage_error "--memory $2: not 64 to 65536"
		choose memory "$2" ;;
	disk)
		is_number "${2%G}" 1 1000 && [ "$2" != "${2%G}" ] ||
			usage_error "--disk $2: not 1G to 1000G"
		choose disk "$2" ;;
	package)
		case $2 in *[!a-z0-9.+,-]*) usage_error "--package $2: not a name" ;; esac
		more_packages="$more_packages $(echo "$2" | tr , ' ')" ;;
	script)
		[ -f "$2" ] && [ -r "$2" ] || fail "--script $2: cannot be read"
		choose script "$(realpath "$2")"
		[ ! -f "$dir/first-boot" ] || cmp -s "$2" "$dir/first-boot" ||
			fail "--script $2: is not what sandbox $name was made" \
				"with: sandbox destroy, or --name for another" ;;
	transport)
		is_one_of "$2" daemon bess ||
			usage_error "--transport $2: not daemon or bess"
		choose transport "$2" ;;
	network)
		take_network "$2" ;;
	kernel)
		choose kernel "$(command -v "$2" >/dev/null &&
			realpath "$(command -v "$2")" || echo "$2")" ;;
	suite | mirror)
		choose "$1" "$2" ;;
	esac
}

# NAME or NAME=A.B.C.0/24; the N-th is 10.44.N.0/24 if not said.
take_network()
{
	count=$(echo $more_networks | wc -w)
	prefix=10.44.$count
	case $1 in
	*=0.* | *=127.* | *=169.254.* | *=22[4-9].* | *=2[345]?.*)
		usage_error "--network $1: not addresses for a network" ;;
	*=*)
		prefix=${1#*=}
		[ "$prefix" != "${prefix%.0/24}" ] && is_prefix "${prefix%.0/24}" ||
			usage_error "--network $1: not A.B.C.0/24"
		prefix=${prefix%.0/24} ;;
	esac
	net=${1%%=*}
	is_name "$net" && [ ${#net} -le 15 ] ||
		usage_error "--network $1: not a name of at most 15 bytes"
	for other in $more_networks; do
		[ "${other%%=*}" != "$net" ] || usage_error "--network $1: twice"
		[ "${other#*=}" != "$prefix" ] ||
			usage_error "--network $1: same addresses as ${other%%=*}"
	done
	[ "$count" -lt 16 ] || usage_error "--network: 16 at most"
	more_networks="$more_networks $net=$prefix"
}

# choose SETTING VALUE: it cannot be another one later.
choose()
{
	eval "now=\$$1"
	if [ -n "$made" ] && [ "$now" != "$2" ]; then
		fail "sandbox $name was made with $1 '$now', not '$2':" \
			"sandbox destroy, or --name for another"
	fi
	eval "$1=\$2"
}

default()
{
	eval "[ -n \"\$$1\" ] || $1=\$2"
}

# What was not asked for.
fill_settings()
{
	default memory 192
	default disk 2G
	default kernel "$(command -v linux.uml || command -v linux || echo linux.uml)"
	default networks lan=10.44.0
}

settings()
{
	for setting in $SETTINGS; do
		eval "value=\$$setting"
		printf '%s=%s\n' "$setting" "$(quote "$value")"
	done
}

# extend_table N: lines for guests that have none, up to number @1.
extend_table()
{
	n=0
	for guest in $names; do
		n=$((n + 1))
		have=$(guest_name "$n")
		is_name "$guest" || usage_error "--names $guest: not a name"
		[ -z "$have" ] || [ "$have" = "$guest" ] ||
			fail "guest $n is $have, not $guest: sandbox destroy first"
	done
	[ "$n" -le "$1" ] || usage_error "--names: $n names for $1 guests"
	n=0
	while [ "$n" -lt "$1" ]; do
		n=$((n + 1))
		[ -z "$(guest_name "$n")" ] || continue
		guest=$(echo "$names" | awk -v n="$n" '{ print $n }')
		add_to_table "$n" "${guest:-guest$n}"
	done
	for choice in $on; do
		n=$(guest_number "${choice%%=*}")
		has=$(guest_networks "$n" | tr ' ' ,)
		[ "$has" = "${choice#*=}" ] || fail "guest ${choice%%=*} is on" \
			"$has, not ${choice#*=}: sandbox destroy first"
	done
}

# add_to_table N NAME
add_to_table()
{
	! printf '%s\n' "$table" | awk '{ print $2 }' | grep -qx "$2" ||
		usage_error "--names: $2 twice"
	nets=${networks%%=*}
	for choice in $on; do
		case $choice in "$1="* | "$2="*) nets=${choice#*=} ;; esac
	done
	for net in $(echo "$nets" | tr , ' '); do
		case " $networks" in
		*" $net="*) ;;
		*) fail "guest $2: no network $net: --network $net" ;;
		esac
	done
	table="$table${table:+
}$1 $2 $nets"
}
