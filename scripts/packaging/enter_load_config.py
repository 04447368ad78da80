#!/usr/bin/env python3
"""enter_load_config.py [--check] PROGRAM: enters the structure of stub/src/load_config.rs into the
header of a 64-bit program for Windows, where GNU's linker leaves that empty. Changes nothing a
second time; with --check nothing at all, and it must be there."""

import struct
import sys

path = sys.argv[-1]
with open(path, "rb") as file:
    program = bytearray(file.read())

SIZE = 256
# See stub/src/load_config.rs: the size, the mark, zeros, the flags.
structure = struct.pack("<I4s70xH176x", SIZE, b"nttf", 0x800)
at = program.find(structure)
if at < 0 or program.find(structure, at + 1) >= 0:
    sys.exit(f"error: {path} has not one structure as in stub/src/load_config.rs")

header = struct.unpack_from("<I", program, 0x3C)[0]
sections, optional_size = struct.unpack_from("<2xH12xH", program, header + 4)
optional = header + 24
if struct.unpack_from("<H", program, optional)[0] != 0x20B:
    sys.exit(f"error: {path} is no 64-bit program for Windows")

for number in range(sections):
    entry = optional + optional_size + 40 * number
    address, length, start = struct.unpack_from("<12xIII", program, entry)
    if start <= at < start + length:
        break
else:
    sys.exit(f"error: the structure is in no section of {path}")

directory = optional + 112 + 8 * 10
wanted = struct.pack("<II", address + at - start, SIZE)
found = bytes(program[directory : directory + 8])
if found == wanted:
    sys.exit()
if sys.argv[1] == "--check":
    sys.exit(f"error: nothing says in the header of {path} where libraries are to come from")
if found != bytes(8):
    sys.exit(f"error: {path} has another such structure")
program[directory : directory + 8] = wanted
# A checksum that nobody has computed is as good as one.
struct.pack_into("<I", program, optional + 64, 0)
with open(path, "r+b") as file:
    file.write(program)
