# Completion for ringswitch, ringctl, ringtap and ringbench in bash, with the
# library of bash-completion(7); for uml_switch and tunctl as well.
#
# What there is to offer is asked of the programs themselves: options, objects
# and commands are those of their help, ports those of the running switch. So
# nothing here has to follow when they change, but for what a value may be.

# Runs a program as it stands on the command line, quietly.
__ring_run()
{
    local program=${1/#\~\//$HOME/}
    shift
    command "$program" "$@" 2>/dev/null </dev/null
}

# The options in a help text (stdin): words with dashes that begin a line.
__ring_options()
{
    awk '/^ +-/ {
        for (i = 1; $i ~ /^-/; i++) {
            sub(/[[=,].*/, "", $i)
            if (!seen[$i]++) print $i
        } }'
}

# What option $1 wants as its value, by the help text (stdin): FILE or the like,
# behind the option. Nothing if it wants none.
__ring_argument()
{
    awk -v option="$1" '/^ +-/ {
        found = 0
        for (i = 1; $i ~ /^-/; i++) {
            sub(/,$/, "", $i)
            if ($i == option) found = 1
        }
        if (found && $i ~ /^([A-Z:|]+|[a-z]+\|[a-z|]+)$/) print $i }'
}

# Offer those of the words in $1 that begin as what is being typed.
__ring_offer()
{
    local IFS=$' \n'
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# The same for names from elsewhere (stdin), one a line, whatever is in them: a
# guest must not be able to have its name carried out as a command.
__ring_offer_lines()
{
    local name
    while IFS= read -r name; do
        [[ $name == "$cur"* ]] || continue
        [[ $name == *[^-A-Za-z0-9_.,:=/+@%]* ]] && printf -v name %q "$name"
        COMPREPLY+=("$name")
    done
}

# Lines (stdin) with $1 in front of each.
__ring_behind()
{
    local line
    while IFS= read -r line; do
        printf '%s%s\n' "$1" "$line"
    done
}

# To bash, a : and = in a word begins another: it wants what is behind the last
# of them only.
__ring_trim()
{
    local before=${cur%"${cur##*[:=]}"}
    [[ $before && $COMP_WORDBREAKS == *"${before: -1}"* ]] &&
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

__ring_taps()
{
    ip -o link show type tun 2>/dev/null | sed -E 's/^[0-9]+: ([^:@]+).*/\1/'
}

# Names of the switches that run: folders in the places for sockets.
__ring_switches()
{
    local path
    for path in {/run,"$XDG_RUNTIME_DIR"}/ringswitch/*/control; do
        [[ -S $path ]] && path=${path%/control} && echo "${path##*/}"
    done
}

__ring_listen_kinds='uml: vde: bess: stream: fd:'
__ring_port_kinds='tap: dgram: connect-stream: connect-bess: fd:'

# The keys that an endpoint of kind $1 may have.
__ring_keys()
{
    printf '%s=\n' name mtu queue isolated learning flood locked no-spoof mac \
        mac-limit storm-broadcast storm-multicast storm-unknown mirror
    case $1 in
    uml | vde | bess | stream | dgram) printf '%s=\n' mode group ;;&
    dgram) echo remote= ;;
    tap) printf '%s=\n' rules filter accept-to-guests ;;
    esac
}

# KIND:PATH and keys with values, with commas between. $1: the kinds.
__ring_endpoint()
{
    local before=${cur%"${cur##*[:,=]}"}
    compopt -o nospace
    case $before in
    *,) __ring_offer_lines < <(__ring_keys "${cur%%:*}" | __ring_behind "$before") ;;
    *,isolated= | *,learning= | *,flood= | *,locked= | *,no-spoof=)
        __ring_offer "${before}on ${before}off" ;;
    *,group=) __ring_offer_lines < <(compgen -g | __ring_behind "$before") ;;
    *,rules= | *,filter= | *,remote=) __ring_paths "$before" ;;
    *,*) ;;
    tap:) __ring_offer_lines < <(__ring_taps | __ring_behind tap:) ;;
    *:) __ring_paths "$before" ;;
    *) __ring_offer "$1" ;;
    esac
}

# Files behind $1.
__ring_paths()
{
    compopt -o filenames
    __ring_offer_lines < <(compgen -f -- "${cur#"$1"}" | __ring_behind "$1")
}

# The value of an option: $1 is the option, $2 what its help calls the value.
__ring_value()
{
    case $1:$2 in
    --listen:*) __ring_endpoint "$__ring_listen_kinds" ;;
    --port:*) __ring_endpoint "$__ring_port_kinds" ;;
    --tap:*) __ring_offer_lines < <(__ring_taps) ;;
    --metrics:*) compopt -o nospace; __ring_offer 'unix: 127.0.0.1: [::1]:' ;;
    --without:*) __ring_offer multishot-read fixed-files ;;
    *:USER) __ring_offer_lines < <(compgen -u) ;;
    *:GROUP) __ring_offer_lines < <(compgen -g) ;;
    *:PATH | *:FILE) _filedir ;;
    *:*\|*) __ring_offer "${2//|/ }" ;;
    esac
}

_ringswitch()
{
    local cur prev words cword help option argument
    _init_completion -n := || return
    help=$(__ring_run "$1" --help)
    # One dash does as well as two, as for uml_switch.
    [[ $cur == -* ]] && cur=--${cur##*(-)}
    option=${prev#-}
    option=--${option#-}
    argument=$(__ring_argument "$option" <<<"$help")
    if [[ $prev == -* && $argument ]]; then
        __ring_value "$option" "$argument"
    else
        __ring_offer "$(__ring_options <<<"$help")"
    fi
    __ring_trim
} && complete -F _ringswitch ringswitch uml_switch

_ringbench()
{
    local cur prev words cword help argument
    _init_completion -n := || return
    help=$(__ring_run "$1" --help)
    argument=$(__ring_argument "$prev" <<<"$help")
    if ((cword == 1)); then
        __ring_offer "$(__ring_section '' clients: <<<"$help") --help"
    elif ((cword == 2)); then
        _filedir
    elif [[ $argument == CLIENT && $cur != *:* ]]; then
        __ring_offer "$(__ring_section clients: defaults <<<"$help")"
    elif [[ $argument == CLIENT:PATH ]]; then
        __ring_endpoint "$(__ring_section clients: defaults <<<"$help" | sed 's/$/:/')"
    elif [[ $argument ]]; then
        __ring_value "$prev" "$argument"
    else
        __ring_offer "$(__ring_options <<<"$help")"
    fi
    __ring_trim
} && complete -F _ringbench ringbench

# The first words of the lines with two blanks in front, between the line that
# begins with $1 and the one with $2 (empty: the beginning and the end).
__ring_section()
{
    awk -v from="$1" -v to="$2" '
        from && index($0, from) == 1 { from = "" }
        to && !from && index($0, to) == 1 { exit }
        !from && /^  [a-z]/ { print $1 }'
}

_ringtap()
{
    local cur prev words cword help
    local -a said
    _init_completion || return
    help=$(__ring_run "$1" --help)
    mapfile -t said < <(printf '%s\n' "${words[@]:1:cword-1}" | grep -v '^-')
    if [[ $cur == -* ]]; then
        __ring_offer "$(__ring_options <<<"$help")"
    elif [[ ! ${said[0]} ]]; then
        __ring_offer "$(__ring_section '' '' <<<"$help")"
    elif [[ ${#said[@]} == 1 && ${said[0]} != a* ]]; then
        __ring_offer_lines < <(__ring_run "$1" show | awk 'NR > 1 { print $1 }')
    elif [[ ${#said[@]} -gt 1 && ${said[0]} == a* ]]; then
        case $prev in
        us*) __ring_offer_lines < <(compgen -u) ;;
        g*) __ring_offer_lines < <(compgen -g) ;;
        m*) ;;
        *) __ring_offer 'user group mtu up' ;;
        esac
    fi
} && complete -F _ringtap ringtap

_ringtap_tunctl()
{
    local cur prev words cword
    _init_completion || return
    case $prev in
    -u) __ring_offer_lines < <(compgen -u) ;;
    -g) __ring_offer_lines < <(compgen -g) ;;
    -f) _filedir ;;
    -d | -t) __ring_offer_lines < <(__ring_taps) ;;
    *) __ring_offer '-b -u -g -t -d -f' ;;
    esac
} && complete -F _ringtap_tunctl tunctl

# ringctl: options, an object, a command, and its words ------------------------

# Runs ringctl for the switch that the command line names.
__ringctl_ask()
{
    __ring_run "${words[0]}" "${target[@]}" --timeout 1 -j "$@"
}

# The values of a key in JSON (stdin) that has no blanks.
__ringctl_values()
{
    grep -o "\"$1\":\"[^\"\\]*\"" | cut -d '"' -f 4
}

# Sorts the words before the cursor: target, the options that say which switch;
# said, those that are no option of ringctl itself.
__ringctl_sort()
{
    local i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        -n | --name | --socket) target+=("${words[i]}" "${words[++i]}") ;;
        --name=* | --socket=*) target+=("${words[i]}") ;;
        -b | --batch | --timeout) ((i++)) ;;
        -*) ((${#said[@]})) && said+=("${words[i]}") ;;
        *) said+=("${words[i]}") ;;
        esac
    done
}

# The words that a command takes, without what may be left out between them:
# "[dev] PORT|all [EXPRESSION] [OPTION]..." is PORT|all EXPRESSION OPTION.
# $1: the help of the command, $2: how many words are the command.
__ringctl_wants()
{
    local -a synopsis
    read -ra synopsis <<<"$(head -n 1 <<<"$1" | sed 's/\[,[^]]*]//g' | tr -d '[].')"
    printf '%s\n' "${synopsis[@]:$2 + 1}" | grep -vxE 'dev|to' | sed '/^-/,$d'
}

# The names of the keys in the help of a command, or what $1 may be.
__ringctl_keys()
{
    if [[ $1 ]]; then
        awk -v key="$1" '/^        / && $1 == key { print $2 }' <<<"$help"
    else
        awk '/^        / { print $1 }' <<<"$help"
    fi
}

# Offer what can stand for @1, a word of a synopsis.
__ringctl_word()
{
    case $1 in
    PORT* | TARGET)
        __ring_offer_lines < <(__ringctl_ask port show | __ringctl_values name)
        [[ $1 == *\|* ]] && __ring_offer "${1#*|}" ;;
    ADDRESS)
        __ring_offer_lines < <(__ringctl_ask mac show | __ringctl_values address) ;;
    KIND:WHAT) __ring_endpoint "$__ring_port_kinds" ;;
    KIND:PATH)
        if [[ ${said[1]} == a* ]]; then
            __ring_endpoint "$__ring_listen_kinds"
        else
            __ring_offer_lines < <(__ringctl_ask listener show |
                __ringctl_values listener)
        fi ;;
    EVENT) __ring_offer 'port listener mac drops stall reload' ;;
    KEY) __ring_offer "$(__ringctl_keys)" ;;
    VALUE) __ringctl_key_value "$(__ringctl_keys "$prev")" ;;
    OBJECT) __ring_offer "$objects" ;;
    COMMAND) __ring_offer "$(__ringctl_commands "$prev")" ;;
    [a-z]*) __ring_offer "$1" ;;
    esac
}

__ringctl_key_value()
{
    case $1 in
    PORT*) __ringctl_word "$1" ;;
    *\|*) __ring_offer "${1//|/ }" ;;
    esac
}

__ringctl_commands()
{
    __ring_run "${words[0]}" "$1" help |
        awk '/^ringctl [a-z]+ [a-z]+( |$)/ { print $3 }'
}

# The words behind the command. $@: those of them that are there.
__ringctl_behind()
{
    local argument help
    local -a there wants
    help=$(__ring_run "${words[0]}" "${said[@]:0:own_words}" help)
    argument=$(__ring_argument "$prev" <<<"$help")
    mapfile -t there < <(printf '%s\n' "$@" | grep -vxE -e 'dev|to|-.*|')
    mapfile -t wants < <(__ringctl_wants "$help" "$own_words")
    if [[ $argument ]]; then
        __ring_value "$prev" "$argument"
    elif [[ $cur == -* ]]; then
        __ring_offer "$(__ring_options <<<"$help") -j -p $(head -n 1 <<<"$help" |
            grep -oE ' \[-[a-z]' | tr -d '[')"
    elif [[ ${wants[-1]} == VALUE ]] && ((${#there[@]} >= 2)); then
        __ringctl_word "${wants[1 + (${#there[@]} + 1) % 2]}"
    elif [[ ${wants[-1]} == EVENT ]]; then
        __ringctl_word EVENT
    else
        __ringctl_word "${wants[${#there[@]}]}"
    fi
}

_ringctl()
{
    local cur prev words cword objects commands argument general own_words
    local -a target=() said=()
    _init_completion -n := || return
    __ringctl_sort
    general=$(__ring_run "${words[0]}" --help)
    objects=$(__ring_section '' 'ringctl OBJECT' <<<"$general")
    argument=$(__ring_argument "$prev" <<<"$general")
    if ((!${#said[@]})) && [[ $argument == NAME ]]; then
        __ring_offer_lines < <(__ring_switches)
    elif ((!${#said[@]})) && [[ $argument ]]; then
        __ring_value "$prev" "$argument"
    elif ((!${#said[@]})) && [[ $cur == -* ]]; then
        __ring_offer "$(__ring_options <<<"$general")"
    elif ((!${#said[@]})); then
        __ring_offer "$objects"
    else
        commands=$(__ringctl_commands "${said[0]}")
        own_words=1
        [[ $commands ]] && own_words=2
        if ((${#said[@]} < own_words)); then
            __ring_offer "$commands help"
        else
            __ringctl_behind "${said[@]:own_words}"
        fi
    fi
    __ring_trim
} && complete -F _ringctl ringctl
