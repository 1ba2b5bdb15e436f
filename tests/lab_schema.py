"""What the switch answers on its control socket: JSON schemas, and strict.

    check_reply(command, value)   the value under "return"
    check_line(line)              a whole reply, an error or an event

ringswitch-control(7) says the same in words. A member that is missing and one
that is there without being documented are both wrong: scripts depend on the
first, and will depend on the second.
"""

import json

import jsonschema

# Why frames are dropped: the reasons that concern a sender's frame, and those
# that concern one receiver's copy.
SENDER_DROPS = ("runt", "rx_too_long", "same_port", "no_port", "filter",
                "isolated", "locked", "mac_limit", "spoofed", "storm_bcast",
                "storm_mcast", "storm_unknown", "admin_down", "crash")
RECEIVER_DROPS = ("queue_full", "stalled", "too_long", "link_down",
                  "send_error", "port_closed", "crash_queued")

ERROR_CODES = ("syntax", "command", "argument", "not-found", "exists",
               "refused", "read-only", "version")

PORT_KINDS = "uml", "vde", "bess", "stream", "dgram", "tap"
PORT_STATES = "up", "blocked", "stalled", "detached", "down", "admin-down", \
    "quarantined"


# Words to write schemas with -------------------------------------------------

def record(**members):
    """An object with just these members, all of them."""
    return {"type": "object", "properties": members,
            "required": sorted(members), "additionalProperties": False}


def array(of):
    return {"type": "array", "items": of}


def one_of(*words):
    return {"enum": list(words)}


def or_null(schema):
    return {"anyOf": [schema, {"type": "null"}]}


ANYTHING = {}
COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"type": "number", "minimum": 0}
TEXT = {"type": "string"}
LINE = {"type": "string", "pattern": r"\A[^\n]+\Z"}
BOOL = {"type": "boolean"}
ADDRESS = {"type": "string", "pattern": r"\A([0-9a-f]{2}:){5}[0-9a-f]{2}\Z"}
HEX = {"type": "string", "pattern": r"\A([0-9a-f]{2})*\Z"}
NOTHING = record()


# Replies ---------------------------------------------------------------------

VERSION = record(program=one_of("ringswitch"), release=LINE,
                 protocol=one_of(1), pid=COUNT, process=COUNT,
                 name=or_null(LINE), kernel=LINE, started=NUMBER,
                 uptime=NUMBER, starts=COUNT)

HELP = array(record(command=LINE, arguments=array(LINE), read_only=BOOL))

PORT = record(
    name=LINE, id=COUNT, kind=LINE, state=one_of(*PORT_STATES),
    admin=one_of("up", "down"), endpoint=LINE, description=TEXT,
    pid=or_null(COUNT), uid=or_null(COUNT), frame_max=COUNT, queue=COUNT,
    queued=COUNT, isolated=BOOL, learning=BOOL, flood=BOOL, locked=BOOL,
    mac_limit=COUNT, no_spoof=BOOL, storm_broadcast=COUNT,
    storm_multicast=COUNT, storm_unknown=COUNT,
    mirror=or_null(LINE), macs=COUNT, captures=COUNT,
    filter=BOOL)

LISTENER = record(
    listener=LINE, kind=LINE, state=one_of("listening", "paused"),
    ports=COUNT, name=or_null(LINE), queue=COUNT, mtu=or_null(COUNT))

MAC = record(address=ADDRESS, port=LINE, age=or_null(COUNT), static=BOOL)

LATENCY = record(samples=COUNT, sum_ns=COUNT, buckets=array({
    "type": "array", "minItems": 2, "maxItems": 2,
    "prefixItems": [or_null(COUNT), COUNT]}))

COUNTERS = dict(
    received=COUNT, received_bytes=COUNT, forwarded=COUNT, flooded=COUNT,
    dropped=COUNT, offered=COUNT, sent=COUNT, sent_bytes=COUNT,
    undelivered=COUNT, queued=COUNT, queue_high=COUNT, queue_limit=COUNT,
    stalls=COUNT, credits=COUNT, credits_max=COUNT,
    drops=record(**{reason: COUNT
                    for reason in SENDER_DROPS + RECEIVER_DROPS}),
    latency=LATENCY)

STATS = record(
    ports=array(record(name=LINE, kind=LINE, state=one_of(*PORT_STATES),
                       **COUNTERS)),
    closed=record(**COUNTERS), total=record(**COUNTERS),
    mac=record(entries=COUNT, capacity=COUNT, learned=COUNT, moved=COUNT,
               expired=COUNT, evicted=COUNT, refused=COUNT),
    loop=record(rounds=COUNT, completions=COUNT, frames=COUNT,
                submissions=COUNT, frames_max=COUNT),
    control=record(clients=COUNT, monitors=COUNT, requests=COUNT,
                   events_lost=COUNT, captures=COUNT, capture_frames=COUNT,
                   capture_dropped=COUNT),
    uptime=NUMBER, time=NUMBER)

DIRECTION = one_of("to-host", "to-guests", "both")
FILTER = record(
    port=LINE, rules=or_null(LINE), object=or_null(LINE),
    accept_to_guests=or_null(LINE), in_force=TEXT,
    counters=array(record(line=COUNT, direction=DIRECTION, action=LINE,
                          frames=COUNT, bytes=COUNT, over=or_null(COUNT),
                          text=TEXT)),
    dropped=array(record(line=COUNT, direction=DIRECTION, age_ms=COUNT,
                         bytes=COUNT, frame=HEX)))

REPLIES = {
    "version": VERSION, "help": HELP,
    "port.show": array(PORT), "port.add": PORT, "port.del": NOTHING,
    "port.set": PORT, "port.up": PORT, "port.down": PORT,
    "listener.show": array(LISTENER), "listener.add": LISTENER,
    "listener.del": NOTHING,
    "mac.show": array(MAC), "mac.flush": record(flushed=COUNT),
    "mac.add": NOTHING, "mac.del": NOTHING,
    "stats.show": STATS,
    "filter.show": array(FILTER), "filter.load": array(FILTER),
    "capture": record(format=one_of("pcapng")),
    "monitor": record(events=array(LINE)),
    "config.show": record(words=array(TEXT)),
    "restart": NOTHING, "stop": NOTHING,
}

# Commands that the monitor socket takes as well.
READ_ONLY = {"version", "help", "port.show", "listener.show", "mac.show",
             "stats.show", "filter.show", "monitor", "config.show"}

ARGUMENTS = {
    "port.show": {"port"}, "port.add": {"endpoint"}, "port.del": {"port"},
    "port.set": {"port", "name", "queue", "isolated", "learning", "flood",
                 "locked", "mac_limit", "no_spoof", "storm_broadcast",
                 "storm_multicast", "storm_unknown", "mirror"},
    "port.up": {"port"}, "port.down": {"port"},
    "listener.show": {"listener"}, "listener.add": {"endpoint"},
    "listener.del": {"listener"},
    "mac.show": {"port"}, "mac.flush": {"port"},
    "mac.add": {"address", "port"}, "mac.del": {"address"},
    "stats.show": {"port"}, "filter.show": {"port"}, "filter.load": {"port"},
    "capture": {"port", "expression", "snaplen", "direction", "drops",
                "buffer"},
    "monitor": {"events"},
}


# Events ----------------------------------------------------------------------

def event(name, **members):
    return record(version=one_of(1), event=one_of(name), time=NUMBER,
                  **members)


EVENTS = {
    "port-up": event("port-up", port=LINE, kind=LINE, pid=or_null(COUNT),
                     uid=or_null(COUNT)),
    "port-down": event("port-down", port=LINE, kind=LINE, why=LINE),
    "port-set": event("port-set", port=LINE,
                      set={"type": "object", "minProperties": 1}),
    "mac-learned": event("mac-learned", address=ADDRESS, port=LINE),
    "mac-moved": event("mac-moved", address=ADDRESS,
                       **{"from": LINE, "to": LINE}),
    "drops": event("drops", port=LINE,
                   reason=one_of(*SENDER_DROPS, *RECEIVER_DROPS),
                   frames={"type": "integer", "minimum": 1}),
    "stall": event("stall", port=LINE),
    "stall-end": event("stall-end", port=LINE),
    "reload": event("reload", port=LINE, ok=BOOL, message=LINE),
    "listener-add": event("listener-add", listener=LINE),
    "listener-del": event("listener-del", listener=LINE),
    "lost": event("lost", events={"type": "integer", "minimum": 1}),
}


# Checking --------------------------------------------------------------------

ERROR = record(code=one_of(*ERROR_CODES), message=LINE)


def envelope(**members):
    """A reply, with the id of the request or without one."""
    whole = record(version=one_of(1), id=ANYTHING, **members)
    whole["required"].remove("id")
    return whole


def validate(value, schema):
    jsonschema.Draft202012Validator(schema).validate(value)


def _refuse_twice(pairs):
    members = dict(pairs)
    assert len(members) == len(pairs), f"a member is there twice: {pairs}"
    return members


def _refuse_constant(word):
    raise AssertionError(f"{word} is no JSON")


def parse(line):
    """The object on @line (bytes), which must be JSON to the letter."""
    value = json.loads(line.decode(), object_pairs_hook=_refuse_twice,
                       parse_constant=_refuse_constant)
    assert isinstance(value, dict), value
    return value


def check_line(line):
    """Parse a reply or an event and check what all of its kind have."""
    value = parse(line)
    if "event" in value:
        validate(value, EVENTS[value["event"]])
    elif "error" in value:
        validate(value, envelope(error=ERROR))
    else:
        validate(value, envelope(**{"return": ANYTHING}))
    return value


def check_reply(command, value):
    """Check what @command has returned, and return it."""
    validate(value, REPLIES[command])
    return value


# Books -----------------------------------------------------------------------

def assert_port_balances(c):
    """What the counters of one port, or a sum of them, promise."""
    by_sender = sum(c["drops"][reason] for reason in SENDER_DROPS)
    by_receiver = sum(c["drops"][reason] for reason in RECEIVER_DROPS)
    assert c["dropped"] == by_sender, c
    assert c["undelivered"] == by_receiver, c
    assert c["received"] == c["forwarded"] + c["dropped"], c
    assert c["offered"] == c["sent"] + c["undelivered"] + c["queued"], c
    latency = c["latency"]
    assert latency["samples"] == sum(n for _, n in latency["buckets"]), c


def assert_books_balance(stats):
    """Every port's; and all ports with the closed ones are the total."""
    parts = [*stats["ports"], stats["closed"]]
    for part in [*parts, stats["total"]]:
        assert_port_balances(part)
    for key in ("received", "received_bytes", "forwarded", "flooded",
                "dropped", "offered", "sent", "sent_bytes", "undelivered",
                "queued", "stalls"):
        assert stats["total"][key] == sum(part[key] for part in parts), key
    for reason, frames in stats["total"]["drops"].items():
        assert frames == sum(part["drops"][reason] for part in parts), reason
