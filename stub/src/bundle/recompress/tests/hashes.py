"""Prints what a zlib makes of the samples of tests.rs, as `hashes.rs` has it.

`hashes.py zlib` with a Python that has zlib 1.2 or 1.3, `hashes.py zlib-ng` with
one that has zlib-ng 2.3 in its place.
"""

import hashlib
import sys
import zlib

SIZES = [
    0, 1, 2, 3, 4, 257, 258, 259, 260, 261, 262, 263, 4096, 32505, 32506, 32507, 32767, 32768,
    32769, 65273, 65274, 65275, 65400, 65535, 65536, 65537, 98303, 98304, 98305, 131072,
]


def random(seed):
    state = seed
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield state >> 16


def text(seed, size):
    """Words of a few letters, rare ones and frequent ones, and longer repetitions."""
    values = random(seed)
    words = []
    for _ in range(500):
        length = 1 + next(values) % 9
        words.append(bytes(97 + next(values) % 26 for _ in range(length)) + b" ")
    made = bytearray()
    while len(made) < size:
        choice = next(values) % 64
        if choice == 0 and made:
            start = next(values) * 7 % len(made)
            made += made[start : start + next(values) % 400]
        else:
            made += words[next(values) % (1 + next(values) % 500)]
    return bytes(made[:size])


def noise(seed, size):
    values = random(seed)
    return bytes(next(values) & 0xFF for _ in range(size))


def letters(seed, size):
    """Two of them, in no order: many matches, all of them short."""
    values = random(seed)
    return bytes(97 + (next(values) >> 7 & 1) for _ in range(size))


def skewed(seed, size):
    """Small numbers more often than large ones, so that codes get long."""
    values = random(seed)
    made = bytearray()
    for _ in range(size):
        value, bits = next(values), 0
        while value & 1 and bits < 15:
            value >>= 1
            bits += 1
        made.append(bits * 16 + (next(values) & 0xF if bits < 3 else 0))
    return bytes(made)


def samples():
    """All of them: what they are, and their bytes."""
    long = text(1, 131072)
    yield "text", [long[:size] for size in SIZES]
    mixed = text(2, 70000) + noise(3, 40000) + text(2, 70000) + bytes(80000) + noise(4, 5000)
    yield "mixed", [mixed]
    once = noise(5, 30000)
    yield "noise", [noise(6, 100000), once + once, noise(7, 65536)]
    yield "zeros", [bytes(size) for size in (300, 32768, 65536, 300000)]
    yield "letters", [letters(8, 50000)]
    yield "skewed", [skewed(9, 120000)]


def whole(level, sample):
    return zlib.compress(sample, level)


def pieces(level, sample):
    stream = zlib.compressobj(level)
    made = b"".join(stream.compress(sample[at : at + 16384]) for at in range(0, len(sample), 16384))
    return made + stream.flush()


def table(name, compress):
    print(f"const {name}: [[&str; 9]; {len(list(samples()))}] = [")
    for kind, parts in samples():
        print(f"    // {kind}")
        print("    [")
        for level in range(1, 10):
            hash = hashlib.sha256()
            for part in parts:
                hash.update(compress(level, part))
            print(f'        "{hash.hexdigest()[:16]}",')
        print("    ],")
    print("];")


print(f"// {zlib.ZLIB_RUNTIME_VERSION}", file=sys.stderr)
if sys.argv[1] == "zlib":
    table("ZLIB", whole)
else:
    table("ZLIB_NG_WHOLE", whole)
    table("ZLIB_NG_PIECES", pieces)
