"""The injection layer (tests/inject.h) from outside: what is to fail, what did.

    Program(path)   the places in the program from which calls are made
    Layer(path)     the file in memory that a switch and its test share
    faults_of(call) the ways in which a call of that name fails
    Fault           one place, one of its calls, one way
"""

import dataclasses
import errno
import mmap
import os
import pathlib
import re
import struct
import subprocess

SITES = 4096
ORDER = struct.Struct("=QQQq")
ORDERS = 2
# Marks of frames that kill the switch: when they come in, when they go out.
POISON = struct.Struct("=8s8s")
POISON_AT = ORDERS * ORDER.size + 8
HEADER_BYTES = POISON_AT + POISON.size
SITE = struct.Struct("=QQQ")
FILE_BYTES = HEADER_BYTES + SITES * SITE.size

# What the layer only looks at.
CANNOT_FAIL = {"forward_frame"}

SHORT = -1
JSON_SITE = 1
RING_SITE = 1 << 32

# linux/io_uring.h, for the reader of a report.
OPCODES = {6: "poll_add", 7: "poll_remove", 11: "timeout", 13: "accept",
           14: "async_cancel", 22: "read", 23: "write", 26: "send", 27: "recv",
           49: "read_multishot"}
RING_FAULTS = {"accept": ["EMFILE", "ECONNABORTED", "ENOMEM", SHORT],
               "recv": ["ENOMEM", "ENOBUFS", "EINTR", "EAGAIN", "ECONNRESET",
                        "ECANCELED", SHORT],
               "read": ["ENOMEM", "ENOBUFS", "EAGAIN", "EIO", "ECANCELED"],
               "read_multishot": ["ENOMEM", "ENOBUFS", "EAGAIN", "EIO",
                                  "ECANCELED", SHORT],
               "timeout": ["ENOMEM", "ECANCELED"],
               "async_cancel": ["ENOENT", "ENOMEM"]}

# The first is what every site fails with at least; the others are tried by a
# whole sweep. What is not named fails with EIO.
FAULTS = [
    (r"\w*alloc|strn?dup|mmap|open_memstream|fmemopen|jansson|pcap_open_dead"
     r"|MHD_\w+|bpf_\w+|ring_buffer_\w+|pthread_\w+", ["ENOMEM"]),
    (r"read|recv|recvmsg", ["EINTR", "EAGAIN", "ECONNRESET", "ENOMEM", SHORT]),
    (r"write|send|sendto|sendmsg|sendmmsg",
     ["ENOBUFS", "EAGAIN", "EINTR", "EPIPE", "ENOMEM", SHORT]),
    (r"open|openat|socket|socketpair|dup.?|pipe2?|eventfd|signalfd|opendir"
     r"|fdopendir|fopen|fdopen|memfd_create|timerfd_create|epoll_create1"
     r"|inotify_init1", ["EMFILE", "ENOMEM"]),
    (r"accept4", ["EMFILE", "ECONNABORTED", "EINTR", "EAGAIN"]),
    (r"connect", ["EAGAIN", "ECONNREFUSED", "EINTR"]),
    (r"bind|mkdir(at)?", ["ENOSPC", "EADDRINUSE", "EACCES"]),
    (r"fork", ["EAGAIN"]),
    (r"execve?|fexecve|seccomp_\w+|capng_\w+", ["ENOMEM"]),
    (r"poll|nanosleep|waitpid|flock", ["EINTR"]),
    (r"io_uring_submit\w*", ["EAGAIN", "EBUSY", "EINTR"]),
    (r"io_uring_\w+", ["ENOMEM", "EPERM"]),
    (r"set\w*id|setgroups|setrlimit|unshare|setns|chroot|mount|prctl|setsid"
     r"|fchmod|chmod|\w*chown|setsockopt|kill|ioctl", ["EPERM"]),
    (r"\w*stat|access|unlink(at)?|rmdir|readlink|realpath|getcwd|chdir",
     ["EACCES", "ENOENT"]),
    (r"close|fclose|fflush", ["EIO", "EINTR"]),
    (r"getrandom", ["ENOSYS"]),
    (r"syscall", ["ENOSYS", "ENOMEM"]),
]


# What the kernel does not do to a pipe whose other end is there.
IMPOSSIBLE = [(r"(read|write) at switch/daemon",
               {"ENOBUFS", "EAGAIN", "EPIPE", "ENOMEM", "ECONNRESET", SHORT}),
              # Nor to a child of ours that we have not waited for.
              (r"kill at switch/keeper", {"EPERM"}),
              # The opener would have ended: that is another story.
              (r"(sendmsg|recvmsg) at switch/opener_wire",
               {"EPIPE", "ECONNRESET"}),
              (r"shutdown at switch/empty_root", {"EIO"})]


def faults_at(site):
    """Errors, or SHORT, with which @site's calls may fail."""
    impossible = set().union(*(errors for pattern, errors in IMPOSSIBLE
                               if re.match(pattern, str(site))))
    return [error for error in faults_of(site.call) if error not in impossible]


def faults_of(call):
    """The same for the function @call, wherever it is called."""
    if call.startswith("ring "):
        return RING_FAULTS.get(call.split()[1], ["ENOMEM", "ECANCELED"])
    for pattern, faults in FAULTS:
        if re.fullmatch(pattern, call):
            return faults
    return ["EIO"]


@dataclasses.dataclass(frozen=True)
class Site:
    """A place in the program: what it calls, and where it stands."""
    address: int
    call: str
    place: str

    def __str__(self):
        return f"{self.call} at {self.place}"


@dataclasses.dataclass(frozen=True)
class Fault:
    """@site's calls from @nth on, @times of them, fail with @error."""
    site: Site
    nth: int
    error: object
    times: int = 1

    def __str__(self):
        how = "short" if self.error == SHORT else self.error
        more = f"-{self.nth + self.times - 1}" if self.times > 1 else ""
        return f"{self.site}: call {self.nth}{more}: {how}"


class Program:
    """A ringswitch with the layer, and all its places."""

    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        self.sites = {JSON_SITE: Site(JSON_SITE, "jansson", "libjansson")}
        self._find_calls()

    def _find_calls(self):
        text = subprocess.run(
            ["objdump", "-d", "--no-show-raw-insn", str(self.path)],
            check=True, capture_output=True, text=True).stdout
        calls, function, behind = {}, None, None
        for line in text.splitlines():
            if begin := re.match(r"[0-9a-f]+ <([^>]+)>:", line):
                function = begin[1]
                continue
            address = re.match(r" *([0-9a-f]+):\t", line)
            if not address:
                continue
            if behind:
                calls[int(address[1], 16)] = behind
            called = re.search(r"\tcall +[0-9a-f]+ <__wrap_(\w+)>", line)
            behind = (called and called[1] not in CANNOT_FAIL and
                      (called[1], function))
        places = self._places(list(calls))
        for address, (call, function) in calls.items():
            self.sites[address] = Site(address, call,
                                       f"{places[address]} ({function})")

    def _places(self, addresses):
        """{address: "file:line"} of the calls before these addresses."""
        told = subprocess.run(
            ["addr2line", "-e", str(self.path)],
            input="\n".join(hex(a - 1) for a in addresses), check=True,
            capture_output=True, text=True).stdout.splitlines()
        return {address: re.sub(r".*/((?:switch|tap)/)", r"\1", where)
                .split(" ")[0] for address, where in zip(addresses, told)}

    def site(self, address):
        """Also of requests to the ring, which have no place of their own, and
        of what is called by a pointer, which nobody finds before."""
        if address not in self.sites and address < RING_SITE:
            self.sites[address] = Site(address, "pointer",
                                       self._places([address])[address])
        elif address not in self.sites:
            opcode, op = address >> 16 & 0xffff, address & 0xffff
            name = OPCODES.get(opcode, f"opcode {opcode}")
            self.sites[address] = Site(address, f"ring {name}", self._op(op))
        return self.sites[address]

    @staticmethod
    def _op(number):
        """What loop.h calls a request that is answered as @number."""
        header = pathlib.Path(__file__).parent.parent / "switch" / "loop.h"
        body = re.search(r"enum loop_op \{(.*?)\n\};", header.read_text(),
                         re.S)[1]
        names = re.findall(r"^\s*(LOOP_\w+)", body, re.M)
        return names[number] if number < len(names) else str(number)


class Layer:
    """The file that tells a switch what is to fail, and counts."""

    def __init__(self, path):
        self.path = str(path)
        with open(self.path, "wb") as file:
            file.truncate(FILE_BYTES)
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), FILE_BYTES)

    def begin(self, *faults):
        """Forget what was counted; @faults are what will happen."""
        self.memory[:] = bytes(FILE_BYTES)
        for number, fault in enumerate(faults):
            error = (fault.error if fault.error == SHORT
                     else getattr(errno, fault.error))
            ORDER.pack_into(self.memory, number * ORDER.size,
                            fault.site.address, fault.nth, fault.times, error)

    def poison(self, coming_in=b"", going_out=b""):
        """From now on a frame kills the switch in which one of these eight
        bytes are behind the Ethernet header; without any, none does."""
        POISON.pack_into(self.memory, POISON_AT, coming_in, going_out)

    def counted(self):
        """{address: (calls, failed)} of all places that were reached."""
        rows = SITE.iter_unpack(self.memory[HEADER_BYTES:])
        return {address: (calls, failed)
                for address, calls, failed in rows if address}

    def close(self):
        self.memory.close()
        os.unlink(self.path)
