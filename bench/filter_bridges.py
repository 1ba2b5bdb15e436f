"""The same rules on Linux bridges, in nftables and ebtables."""
import re
import shutil

import rulesets
from filter_cases import ACCEPTING, BRIDGE, FilterError, with_extra

NFT_SETS, NFT_LIST, EBTABLES = "nft, sets", "nft, list", "ebtables"
LOAD_TIMEOUT_S = 60

# What each of the others loads its rules with, and how they are written.
PEERS = {
    NFT_SETS: ("nft -f", rulesets.nft_sets),
    NFT_LIST: ("nft -f", rulesets.nft_list),
    EBTABLES: ("ebtables-restore <", rulesets.ebtables_text),
}


class BridgeFilter:
    """A bridge in a namespace of its own, and rules on what it forwards."""

    def __init__(self, bench, number, load=None, text=""):
        self._bench = bench
        self._namespace = bench.namespace(f"bridge{number}")
        inside = self._namespace.check
        # Where the bridge is made to call iptables, every frame would pay.
        inside("for f in /proc/sys/net/bridge/bridge-nf-call-*; do"
               " [ ! -e $f ] || echo 0 >$f; done")
        inside("ip link add br0 type bridge mcast_snooping 0")
        for end in "0", "1":
            inside(f"ip link add end{end} type veth peer name port{end}")
            inside(f"ip link set port{end} master br0")
        for link in "br0", "end0", "end1", "port0", "port1":
            inside(f"ip link set {link} up")
        if load:
            path = bench.directory / f"bridge{number}.rules"
            path.write_text(text)
            inside(f"{load} {path}", LOAD_TIMEOUT_S)
        bench.lab.wait_until(self._forwards, "the bridge to forward")
        self.sent = 0

    def _forwards(self):
        return self._namespace.check(
            "bridge link show").count("state forwarding") == 2

    def send(self, frames):
        return self._bench.replay(self._namespace, "end0", "packet", frames)

    def matched(self):
        """Frames that any rule, or element of a set, has counted."""
        # ebtables is nftables behind another language.
        listed = self._namespace.check("nft list ruleset", LOAD_TIMEOUT_S)
        return sum(map(int, re.findall(r"counter packets (\d+)", listed)))


class PeerFilters:
    """A bridge for each set of rules and each way to write them."""

    def __init__(self, bench):
        self._bench = bench
        self._count = 0
        self._none = None
        self._bridges = {}
        self.left_out = {}
        for peer in PEERS:
            try:
                self._none = self._none or self._bridge()
                self._bridges.update(self._bridges_of(peer))
            except (bench.lab.LabError, FilterError) as error:
                self.left_out[f"filters, {peer}"] = " ".join(
                    str(error).split())

    def _bridge(self, *rules):
        self._count += 1
        return BridgeFilter(self._bench, self._count, *rules)

    def _bridges_of(self, peer):
        load, write = PEERS[peer]
        program = load.split()[0].removesuffix("-restore")
        if not shutil.which(program):
            raise FilterError(f"{program} is not installed")
        return {(peer, rules): self._bridge(
            load, write(rules.made()) if rules.count else empty_text(peer))
            for rules in ACCEPTING}

    def measure(self, record):
        for (peer, rules), bridge in self._bridges.items():
            cases = rules.cases()
            base_ns = self._bench.slice(self._none, cases[0])["ns_per_frame"]
            for case in cases:
                result = self._bench.slice(bridge, case)
                bridge.sent += case.matching * result["sent"]
                record(f"{BRIDGE}/{case.name()}", peer,
                       with_extra(result, base_ns))

    def check(self):
        """Of what was sent to match, all has."""
        if not shutil.which("nft"):
            return
        for (peer, rules), bridge in self._bridges.items():
            if bridge.matched() != bridge.sent:
                raise FilterError(f"{peer}, {rules.count} rules, "
                                  f"{rules.shape}: counted {bridge.matched()} "
                                  f"of {bridge.sent}")


def empty_text(peer):
    return (rulesets.ebtables_text([]) if peer == EBTABLES
            else rulesets.nft_text([]))
