# lib.sh: how the sandbox speaks and acts.

fail()
{
	echo "sandbox: $*" >&2
	exit 1
}

say()
{
	if [ -n "$dry" ]; then
		printf '\n# %s\n' "$*"
	else
		echo "$*"
	fi
}

# quote WORD...: in one line, as a shell would read them.
quote()
{
	line=
	for word; do
		case $word in
		'' | *[!A-Za-z0-9_./:=,@%+-]*)
			word=\'$(printf '%s' "$word" | sed "s/'/'\\\\''/g")\' ;;
		esac
		line="$line${line:+ }$word"
	done
	printf '%s\n' "$line"
}

# show COMMAND...: the same, with the places of the sandbox by their names.
show()
{
	quote "$@" | sed -E "s#(^|[ =,])$dir(/[^ ']*)#\1\"\$dir\2\"#g
		s#(^|[ =,])$here(/[^ ']*)#\1\"\$here\2\"#g"
}

# run COMMAND...: the one way to have an effect, so that --dry-run can show all
# of them. What touches the machine's own network (--host) is always shown.
run()
{
	if [ -n "$dry" ]; then
		show "$@"
	elif [ -n "$verbose" ]; then
		printf '+ ' >&2
		show "$@" >&2
		"$@"
	else
		"$@"
	fi
}

# write FILE: standard input becomes the file.
write()
{
	if [ -n "$dry" ]; then
		printf "cat >%s <<'END'\n" "$(show "$1")"
		cat
		echo END
	elif [ -n "$verbose" ]; then
		printf '+ cat >%s, of:\n' "$(show "$1")" >&2
		tee "$1" | sed 's/^/+     /' >&2
	else
		cat >"$1"
	fi
}

# need COMMAND PACKAGE
need()
{
	command -v "$1" >/dev/null ||
		fail "$1 not found: apt-get install $2"
}

# is_one_of WORD LIST...
is_one_of()
{
	wanted=$1
	shift
	case " $* " in
	*" $wanted "*) return 0 ;;
	esac
	return 1
}
