#compdef ringctl ringswitch ringtap ringbench

# Completion for ringctl, ringswitch, ringtap and ringbench in zsh. (zsh has its
# own for uml_switch and tunctl.)
#
# What there is to offer is asked of the programs themselves: options, objects
# and commands are those of their help, ports those of the running switch. So
# nothing here has to follow when they change, but for what a value may be.

# Runs the program of this command line, quietly.
_ring_run()
{
    local program=${(Q)words[1]}
    command ${program/#\~\//$HOME/} "$@" 2>/dev/null </dev/null
}

# The options in a help text (stdin), as _describe wants them: words with dashes
# that begin a line, then a colon and the rest of the line.
_ring_options()
{
    awk '/^ +-/ {
        text = $0
        for (n = 1; $n ~ /^-/; n++) {
            sub(/[[=,].*/, "", $n)
            option[n] = $n
        }
        sub(/^ +-[^ ]*( -[^ ]*)* */, "", text)
        sub(/^([A-Z:|]+|[a-z]+\|[a-z|]+)  +/, "", text)
        for (i = 1; i < n; i++)
            if (!seen[option[i]]++) print option[i] ":" text }'
}

# What option $1 wants as its value, by the help text (stdin): FILE or the like,
# behind the option. Nothing if it wants none.
_ring_argument()
{
    awk -v option="$1" '/^ +-/ {
        found = 0
        for (i = 1; $i ~ /^-/; i++) {
            sub(/,$/, "", $i)
            if ($i == option) found = 1
        }
        if (found && $i ~ /^([A-Z:|]+|[a-z]+\|[a-z|]+)$/) print $i }'
}

# The lines with two blanks in front, between the one that begins with $1 and
# the one with $2 (empty: the beginning and the end), as name:text.
_ring_section()
{
    awk -v from="$1" -v to="$2" '
        from && index($0, from) == 1 { from = "" }
        to && !from && index($0, to) == 1 { exit }
        !from && /^  [a-z]/ {
            name = $1
            sub(/^  [a-z]+( \[?[A-Z]+\]?)? */, "")
            print name ":" $0
        }'
}

# Offer lines (stdin) of name:text as a $1, or plain names.
_ring_describe()
{
    local -a lines=("${(@f)$(cat)}")
    [[ -n $lines ]] && _describe -t $1s $1 lines
}

_ring_names()
{
    local -a lines=("${(@f)$(cat)}")
    [[ -n $lines ]] && compadd "$@" -a lines
}

_ring_taps()
{
    ip -o link show type tun 2>/dev/null | sed -E 's/^[0-9]+: ([^:@]+).*/\1/' |
        _ring_names
}

# The names of the switches that run: folders in the places for sockets.
_ring_switches()
{
    local -a names=({/run,$XDG_RUNTIME_DIR}/ringswitch/*/control(N=:h:t))
    compadd -a names
}

# The keys that an endpoint of kind $1 may have.
_ring_keys()
{
    local -a keys=(name mtu queue isolated learning flood locked no-spoof
        mac mac-limit storm-broadcast storm-multicast storm-unknown mirror)
    case $1 in
    uml | vde | bess | stream) keys+=(mode group) ;;
    dgram) keys+=(mode group remote) ;;
    tap) keys+=(rules filter accept-to-guests) ;;
    esac
    compadd -S = -a keys
}

# KIND:PATH and keys with values, with commas between. "$@": the kinds.
_ring_endpoint()
{
    local kind=${PREFIX%%:*}
    if compset -P '*,'; then
        if compset -P '(isolated|learning|flood|locked|no-spoof)='; then
            compadd on off
        elif compset -P 'group='; then
            _groups
        elif compset -P '(rules|filter|remote)='; then
            _files
        elif ! compset -P '*='; then
            _ring_keys $kind
        fi
    elif compset -P 'tap:'; then
        _ring_taps
    elif compset -P '*:'; then
        _files
    else
        compadd -S '' -- "$@"
    fi
}

_ring_listen_kinds=(uml: vde: bess: stream: fd:)
_ring_port_kinds=(tap: dgram: connect-stream: connect-bess: fd:)

# The value of an option: $1 is the option, $2 what its help calls the value.
_ring_value()
{
    case $1:$2 in
    --listen:*) _ring_endpoint $_ring_listen_kinds ;;
    --port:*) _ring_endpoint $_ring_port_kinds ;;
    --tap:*) _ring_taps ;;
    --metrics:*) compadd -S '' -- unix: 127.0.0.1: '[::1]:' ;;
    --without:*) compadd multishot-read fixed-files ;;
    *:USER) _users ;;
    *:GROUP) _groups ;;
    *:(PATH|FILE)) _files ;;
    *:*\|*) compadd -- ${(s:|:)2} ;;
    esac
}

_ring_for_ringswitch()
{
    local help=$(_ring_run --help) option=--${${words[CURRENT-1]#-}#-} argument
    argument=$(_ring_argument $option <<<$help)
    if [[ $words[CURRENT-1] == -* && -n $argument ]]; then
        _ring_value $option $argument
    else
        # One dash does as well as two, as for uml_switch.
        [[ $PREFIX == -[^-]* ]] && PREFIX=-$PREFIX
        _ring_options <<<$help | _ring_describe option
    fi
}

_ring_for_ringbench()
{
    local help=$(_ring_run --help) argument
    argument=$(_ring_argument $words[CURRENT-1] <<<$help)
    if ((CURRENT == 2)); then
        { _ring_section '' clients: <<<$help; echo --help } | _ring_describe mode
    elif ((CURRENT == 3)); then
        _files
    elif [[ $argument == CLIENT ]]; then
        _ring_section clients: defaults <<<$help | _ring_describe client
    elif [[ $argument == CLIENT:PATH ]]; then
        _ring_endpoint ${${(f)"$(_ring_section clients: defaults <<<$help)"}%%:*}:
    elif [[ -n $argument ]]; then
        _ring_value $words[CURRENT-1] $argument
    else
        _ring_options <<<$help | _ring_describe option
    fi
}

_ring_for_ringtap()
{
    local help=$(_ring_run --help)
    local -a said=(${words[2,CURRENT-1]:#-*})
    if [[ $PREFIX == -* ]]; then
        _ring_options <<<$help | _ring_describe option
    elif ((!$#said)); then
        _ring_section '' '' <<<$help | _ring_describe command
    elif (($#said == 1)) && [[ $said[1] != a* ]]; then
        _ring_run show | awk 'NR > 1 { print $1 }' | _ring_names
    elif (($#said > 1)) && [[ $said[1] == a* ]]; then
        case $words[CURRENT-1] in
        us*) _users ;;
        g*) _groups ;;
        m*) ;;
        *) compadd user group mtu up ;;
        esac
    fi
}

# ringctl: options, an object, a command, and its words ------------------------

# Runs ringctl for the switch that the command line names.
_ringctl_ask()
{
    _ring_run $target --timeout 1 -j "$@"
}

# Offer the values of a key in JSON (stdin) that has no blanks.
_ringctl_values()
{
    grep -o "\"$1\":\"[^\"\\]*\"" | cut -d '"' -f 4 | _ring_names
}

# Sorts the words before the cursor: target, the options that say which switch;
# said, those that are no option of ringctl itself.
_ringctl_sort()
{
    local i
    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
        -n | --name | --socket) target+=($words[i] ${(Q)words[++i]}) ;;
        --name=* | --socket=*) target+=(${(Q)words[i]}) ;;
        -b | --batch | --timeout) ((i++)) ;;
        -*) (($#said)) && said+=($words[i]) ;;
        *) said+=($words[i]) ;;
        esac
    done
}

# The words that a command takes, without what may be left out between them:
# "[dev] PORT|all [EXPRESSION] [OPTION]..." is PORT|all EXPRESSION OPTION.
# $1: the help of the command, $2: how many words are the command.
_ringctl_wants()
{
    head -n 1 <<<$1 | sed 's/\[,[^]]*]//g' | tr -d '[].' | tr ' ' '\n' |
        sed "1,$(($2 + 1))d" | grep -vxE 'dev|to' | sed '/^-/,$d'
}

# The keys in the help of a command, as key:text; or what $1 may be.
_ringctl_keys()
{
    awk -v key="$1" '/^        / {
        name = $1
        if (name == key) print $2
        sub(/^ +[^ ]+ +/, "")
        if (!key) print name ":" $0
    }' <<<$help
}

# Offer what can stand for $1, a word of a synopsis.
_ringctl_word()
{
    case $1 in
    PORT* | TARGET)
        _ringctl_ask port show | _ringctl_values name
        [[ $1 == *\|* ]] && compadd -- ${1#*\|} ;;
    ADDRESS) _ringctl_ask mac show | _ringctl_values address ;;
    KIND:WHAT) _ring_endpoint $_ring_port_kinds ;;
    KIND:PATH)
        if [[ $said[2] == a* ]]; then
            _ring_endpoint $_ring_listen_kinds
        else
            _ringctl_ask listener show | _ringctl_values listener
        fi ;;
    EVENT) compadd port listener mac drops stall reload ;;
    KEY) _ringctl_keys '' | _ring_describe key ;;
    VALUE)
        local value=$(_ringctl_keys $words[CURRENT-1])
        case $value in
        PORT*) _ringctl_word $value ;;
        *\|*) compadd -- ${(s:|:)value} ;;
        esac ;;
    OBJECT) _ring_describe object <<<$objects ;;
    COMMAND) _ringctl_commands $words[CURRENT-1] | _ring_names ;;
    [a-z]*) compadd -- $1 ;;
    esac
}

_ringctl_commands()
{
    _ring_run $1 help | awk '/^ringctl [a-z]+ [a-z]+( |$)/ { print $3 }'
}

# The same with what each does, which is on the line below, if it is no list.
_ringctl_commands_described()
{
    _ring_run $1 help | awk '
        name { sub(/^ +/, ""); print name ":" (/   / ? "" : $0) }
        { name = "" }
        /^ringctl [a-z]+ [a-z]+( |$)/ { name = $3 }'
}

# The words behind the command. $@: those of them that are there.
_ringctl_behind()
{
    local help argument
    local -a wants there=(${@:#(dev|to|-*)})
    help=$(_ring_run $said[1,own_words] help)
    argument=$(_ring_argument $words[CURRENT-1] <<<$help)
    wants=(${(f)"$(_ringctl_wants $help $own_words)"})
    if [[ -n $argument ]]; then
        _ring_value $words[CURRENT-1] $argument
    elif [[ $PREFIX == -* ]]; then
        _ring_options <<<$help | _ring_describe option
        compadd -- -j -p $(head -n 1 <<<$help | grep -oE ' \[-[a-z]' | tr -d '[')
    elif [[ $wants[-1] == VALUE ]] && (($#there >= 2)); then
        _ringctl_word $wants[$((2 + ($#there + 1) % 2))]
    elif [[ $wants[-1] == EVENT ]]; then
        _ringctl_word EVENT
    else
        _ringctl_word $wants[$#there+1]
    fi
}

_ring_for_ringctl()
{
    local general=$(_ring_run --help) objects argument
    local -a target=() said=()
    local -i own_words=1
    _ringctl_sort
    objects=$(_ring_section '' 'ringctl OBJECT' <<<$general)
    argument=$(_ring_argument $words[CURRENT-1] <<<$general)
    if (($#said)); then
        [[ -n $(_ringctl_commands $said[1]) ]] && own_words=2
        if (($#said < own_words)); then
            { _ringctl_commands_described $said[1]; echo help:'this, or more' } |
                _ring_describe command
        else
            _ringctl_behind $said[own_words+1,-1]
        fi
    elif [[ $argument == NAME ]]; then
        _ring_switches
    elif [[ -n $argument ]]; then
        _ring_value $words[CURRENT-1] $argument
    elif [[ $PREFIX == -* ]]; then
        _ring_options <<<$general | _ring_describe option
    else
        _ring_describe object <<<$objects
    fi
}

# zsh makes this file one function, called as the file is: no other may be.
_ring_for_$service "$@"
