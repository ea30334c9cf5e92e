#!/usr/bin/env python3
"""confined.py UNIT COMMAND... - run a command as UNIT's [Service] would, where no systemd runs.

Taken from the unit: CapabilityBoundingSet, NoNewPrivileges, SystemCallFilter with SystemCallErrorNumber,
RestrictAddressFamilies, MemoryDenyWriteExecute, ProtectSystem=strict with ReadWritePaths (and the directories that
systemd makes), PrivateDevices, UMask.  Sets of system calls are those of this machine's systemd-analyze.
"""
import ctypes
import errno
import os
import re
import struct
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 22, 24, 38
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = -100, 0x8000, 1
SYS_MOUNT_SETATTR = 442
HEADERS = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"
CAPABILITIES = "/usr/include/linux/capability.h"
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
ARCH_X86_64 = 0xC000003E


def must(result, what):
    if result != 0:
        sys.exit(f"confined.py: {what}: {os.strerror(ctypes.get_errno())}")


def read_unit(path):
    """The keys of [Service], each with all its values."""
    out, section = {}, ""
    with open(path) as f:
        for line in f:
            line = line.strip()
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line and line[0] not in "#;":
                key, value = line.split("=", 1)
                out.setdefault(key, []).append(value)
    return out


# ---- file systems ---------------------------------------------------------------------------------------


def mount_flags(path, recursive, set_bits, clear_bits):
    attr = struct.pack("QQQQ", set_bits, clear_bits, 0, 0)
    must(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE if recursive else 0, attr, len(attr)), f"{path}: flags")


def mount(what, where, kind, flags, data=b""):
    must(libc.mount(what.encode(), where.encode(), kind, flags, data), f"mount {where}")


def narrow_files(unit):
    must(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    writable = ["/run/gbackup", "/var/lib/gbackup"] + [p.lstrip("-") for v in unit.get("ReadWritePaths", []) for p in v.split()]
    for path in writable:
        if os.path.isdir(path):
            mount(path, path, None, MS_BIND | MS_REC)
    mount_flags("/", True, MOUNT_ATTR_RDONLY, 0)
    for path in [p for p in writable if os.path.isdir(p)] + ["/proc"]:
        mount_flags(path, True, 0, MOUNT_ATTR_RDONLY)
    devices = {n: os.stat("/dev/" + n) for n in ("null", "zero", "full", "random", "urandom", "tty")}
    mount("tmpfs", "/dev", b"tmpfs", 0, b"mode=755")
    for name, s in devices.items():
        os.mknod("/dev/" + name, s.st_mode, s.st_rdev)
    mount_flags("/dev", False, MOUNT_ATTR_RDONLY, 0)


# ---- system calls ---------------------------------------------------------------------------------------


def numbers():
    for header in HEADERS:
        if os.path.exists(header):
            with open(header) as f:
                return {m[1]: int(m[2]) for m in re.finditer(r"#define __NR_(\w+) (\d+)", f.read())}
    sys.exit("confined.py: no numbers of system calls")


def calls_of(word, known):
    if not word.startswith("@"):
        return {word}
    if word not in known:
        known[word] = set()
        said = subprocess.run(["systemd-analyze", "syscall-filter", word], check=True, capture_output=True, text=True).stdout
        for line in said.splitlines()[1:]:
            if line.startswith("    ") and not line.strip().startswith("#"):
                known[word] |= calls_of(line.strip(), known)
    return known[word]


def allowed(unit):
    out, known = set(), {}
    for value in unit["SystemCallFilter"]:
        for word in value.lstrip("~").split():
            calls = calls_of(word, known)
            out = out - calls if value.startswith("~") else out | calls
    return out


def op(code, k, jt=0, jf=0):
    return struct.pack("HBBI", code, jt, jf, k)


LOAD, EQUAL, MASK, RETURN, ALLOW = 0x20, 0x15, 0x45, 0x06, 0x7FFF0000


def arg(n):
    return op(LOAD, 16 + 8 * n)  # its low half


def program(unit):
    by_name = numbers()
    refuse = op(RETURN, 0x50000 | getattr(errno, unit["SystemCallErrorNumber"][0]))
    nr = op(LOAD, 0)
    p = op(LOAD, 4) + op(EQUAL, ARCH_X86_64, 1, 0) + refuse
    families = [FAMILIES[f] for v in unit["RestrictAddressFamilies"] for f in v.split()]
    body = arg(0) + b"".join(op(EQUAL, f, len(families) - i, 0) for i, f in enumerate(families)) + refuse
    p += nr + op(EQUAL, by_name["socket"], 0, len(body) // 8) + body
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        # mmap with both PROT_WRITE and PROT_EXEC; mprotect with PROT_EXEC
        body = arg(2) + op(MASK, 2, 0, 2) + op(MASK, 4, 0, 1) + refuse
        p += nr + op(EQUAL, by_name["mmap"], 0, len(body) // 8) + body
        for call in ("mprotect", "pkey_mprotect"):
            body = arg(2) + op(MASK, 4, 0, 1) + refuse
            p += nr + op(EQUAL, by_name[call], 0, len(body) // 8) + body
    p += nr
    for name in sorted(allowed(unit) & by_name.keys()):
        p += op(EQUAL, by_name[name], 0, 1) + op(RETURN, ALLOW)
    return p + refuse


def filter_calls(code):
    text = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(text))
    must(libc.prctl(PR_SET_SECCOMP, 2, head, 0, 0), "seccomp")


# ---- privileges -----------------------------------------------------------------------------------------


def drop_capabilities(unit):
    with open(CAPABILITIES) as f:
        every = {m[1]: int(m[2]) for m in re.finditer(r"#define (CAP_\w+)\s+(\d+)\n", f.read())}
    keep = {c for v in unit["CapabilityBoundingSet"] for c in v.split()}
    assert keep <= every.keys(), keep
    with open("/proc/sys/kernel/cap_last_cap") as f:
        last = int(f.read())
    for number in range(last + 1):
        if number not in {every[c] for c in keep}:
            must(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), f"capability {number}")


unit, command = read_unit(sys.argv[1]), sys.argv[2:]
os.umask(int(unit["UMask"][0], 8))
narrow_files(unit)
code = program(unit)
drop_capabilities(unit)
if unit["NoNewPrivileges"] == ["yes"]:
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
filter_calls(code)
os.execv(command[0], command)
