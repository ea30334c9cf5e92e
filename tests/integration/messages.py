#!/usr/bin/env python3
"""Each message of the sources that calls for action is in doc/gbackup-errors.7, and each one there is in the sources.

messages.py TOP: one line for each that is not, nothing and status 0 if all is well.  A message is compared by its
literal parts, in order; what printf puts between them is `...` in the manual.
"""
import glob
import re
import sys

# Codes whose messages a user has to do something about; those of the others explain themselves.
CODES = """GAP CHANGELOG_OFF INCOMPLETE BRICK_DOWN NO_AGENT DENIED VERSION BUSY NO_SESSION SESSION_EXISTS NO_VOLUME
VOLUME_STOPPED NO_BRICK CORRUPT AGAIN TIMEOUT NO_SPACE""".split()
CALL = re.compile(r'gb_error_(?:set|sys)\s*\(')
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
CONVERSION = re.compile(r'%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j)?[diouxXcsfgpm]|%')


def call_text(text, start):
    """The argument list of the call whose '(' stands before start."""
    depth, i = 1, start
    while depth and i < len(text):
        if text[i] == '"':
            i = STRING.match(text, i).end()
            continue
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        i += 1
    return text[start:i - 1]


def messages(top):
    found = {}
    for name in sorted(glob.glob(top + "/*/*.c") + glob.glob(top + "/rpc/base/*.c")):
        if "/tests/" in name or "/extras/" in name:
            continue
        text = open(name).read()
        for m in CALL.finditer(text):
            args = call_text(text, m.end())
            codes = re.findall(r'GB_ERR_(\w+)', args)
            first = re.search(r'"', args)
            if not first or not set(codes) & set(CODES):
                continue
            # Adjacent strings, with PRI macros between them, are one.
            parts = re.match(r'(?:"(?:[^"\\]|\\.)*"\s*|PRI\w+\s*|GB_\w+\s*|PACKAGE_\w+\s*)+', args[first.start():]).group(0)
            fmt = re.sub(r'(?:PRI|PACKAGE_)\w+\s*', r'"d"', parts)
            fmt = "".join(STRING.findall(fmt)).replace('\\"', '"')
            found.setdefault(fmt, name[len(top) + 1:])
    return found


def literal(text, cut):
    """Literal parts of a message: quotes and blanks at their ends do not count."""
    parts = (p.strip(' "\'`:') for p in cut.split(text))
    return [p for p in parts if len(p) > 1]


def manual(top):
    lines = open(top + "/doc/gbackup-errors.7").read().splitlines()
    return [re.sub(r'^\.It Li "(.*)"$', r'\1', l).replace("\\(dq", '"').replace("\\e", "\\")
            for l in lines if l.startswith(".It Li ")]


def in_order(parts, text):
    at = 0
    for p in parts:
        at = text.find(p, at)
        if at < 0:
            return False
        at += len(p)
    return bool(parts)


def main():
    top, bad = sys.argv[1], 0
    sources = messages(top)
    entries = manual(top)
    cut = re.compile(r'\.\.\.')
    for fmt, name in sources.items():
        parts = literal(fmt, CONVERSION)
        if sum(len(p) for p in parts) < 8: # nothing but somebody else's words
            continue
        plain = CONVERSION.sub("...", fmt)
        if not any(in_order(literal(e, cut), plain) and max(len(p) for p in literal(e, cut)) * 3 >= max(len(p) for p in parts)
                   for e in entries):
            print("%s: not in gbackup-errors(7): %s" % (name, fmt))
            bad = 1
    for e in entries:
        if not any(in_order(literal(e, cut), CONVERSION.sub("...", fmt)) for fmt in sources):
            print("only in gbackup-errors(7): %s" % e)
            bad = 1
    if len(sources) < 50:
        print("found only %d messages in the sources" % len(sources))
        bad = 1
    sys.exit(bad)


main()
