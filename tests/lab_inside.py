"""System calls made by another process, as if it had been taken over.

    with lab_inside.Inside(pid) as inside:
        inside.call("openat", AT_FDCWD, "/etc/passwd", 0)   # -1, say: -EPERM

Traces it, has it make the call at the place where it waits in one anyway, and
puts everything back. It must have one thread and be ours to trace (we are root);
x86-64 only. A call for which the kernel ends
the process raises Ended.
"""

import ctypes
import os
import platform
import signal
import struct

import pytest

import lab

CALLS = {"openat": 257, "newfstatat": 262, "socket": 41, "connect": 42,
         "bind": 49, "sendto": 44, "execve": 59, "ptrace": 101, "ioctl": 16,
         "io_uring_setup": 425, "io_uring_register": 427, "mmap": 9,
         "setresuid": 117, "unshare": 272, "clone": 56, "kill": 62,
         "bpf": 321, "mkdirat": 258, "unlinkat": 263, "getpid": 39,
         "dup": 32, "setns": 308, "mount": 165, "chroot": 161}

PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_SINGLESTEP = 12, 13, 9
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi "
             "orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
SYSCALL = b"\x0f\x05"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Ended(Exception):
    """The process has ended; the signal that did it."""


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Inside:
    def __init__(self, pid):
        if platform.machine() != "x86_64":
            pytest.skip("knows the registers of x86-64 only")
        self.pid = pid

    def __enter__(self):
        lab.wait_until(self._attach, "the process to wait in a system call")
        return self

    def _attach(self):
        """Whether it has been stopped where it can make another call."""
        try:
            ptrace(PTRACE_ATTACH, self.pid)
        except PermissionError:
            pytest.skip("this machine forbids tracing (ptrace)")
        self._wait()
        self.before = self._registers()
        with self._memory() as memory:
            memory.seek(self.before["rip"] - len(SYSCALL))
            waits = memory.read(len(SYSCALL)) == SYSCALL
        if not waits:
            ptrace(PTRACE_DETACH, self.pid)
        return waits

    def __exit__(self, exception, *_):
        if exception is not Ended:
            self._set(self.before)
            ptrace(PTRACE_DETACH, self.pid)

    def _wait(self):
        _, status = os.waitpid(self.pid, 0)
        if not os.WIFSTOPPED(status):
            raise Ended(signal.Signals(os.WTERMSIG(status)).name)

    def _registers(self):
        room = ctypes.create_string_buffer(8 * len(REGISTERS))
        ptrace(PTRACE_GETREGS, self.pid, ctypes.addressof(room))
        return dict(zip(REGISTERS, struct.unpack("27Q", room.raw)))

    def _set(self, registers):
        room = ctypes.create_string_buffer(
            struct.pack("27Q", *(registers[name] for name in REGISTERS)))
        ptrace(PTRACE_SETREGS, self.pid, ctypes.addressof(room))

    def _memory(self):
        return open(f"/proc/{self.pid}/mem", "r+b", buffering=0)

    def put(self, text, offset):
        """Bytes below its stack; returns where."""
        place = self.before["rsp"] - 65536 + offset
        with self._memory() as memory:
            memory.seek(place)
            memory.write(text)
        return place

    def call(self, name, *arguments):
        """What the kernel answers: 0 or more, or -errno."""
        words = [self.put(os.fsencode(value) + b"\0", 1024 * i)
                 if isinstance(value, (str, bytes)) else value
                 for i, value in enumerate(arguments)]
        words += [0] * (6 - len(words))
        names = "rdi", "rsi", "rdx", "r10", "r8", "r9"
        place = self.before["rip"] - len(SYSCALL)
        # No call to restart: orig_rax says that it is in none.
        self._set({**self.before, "rip": place, "rax": CALLS[name],
                   "orig_rax": 2 ** 64 - 1,
                   **{n: w % 2 ** 64 for n, w in zip(names, words)}})
        ptrace(PTRACE_SINGLESTEP, self.pid)
        self._wait()
        result = self._registers()["rax"]
        return result - 2 ** 64 if result >= 2 ** 63 else result
