#!/usr/bin/env python3
"""Writes tests/data/num_read.tsv and tests/data/num_write.tsv, the oracle of the number tests.

Reading: decimal texts and the bits that FP64, FP32, FP16 and BF16 must have, by exact fractions
(and by Python's float() for FP64, which must agree), "range" where a finite number would become
infinite. Writing: bits of FP64 and FP32 and the shortest text, by Python's repr, and for FP32 by
trying every digit count.
usage: scripts/num_vectors.py DIRECTORY
"""
import random
import struct
import sys
from fractions import Fraction

FORMATS = {"f64": (53, -1074, 2047), "f32": (24, -149, 255), "f16": (11, -24, 31), "bf16": (8, -133, 255)}


def read_bits(text, bits, ulp_min, inf):
    negative = text.startswith("-")
    value = Fraction(text.lstrip("-"))
    width = {53: 64, 24: 32, 11: 16, 8: 16}[bits]
    sign = (1 << (width - 1)) if negative else 0
    if value == 0:
        return sign
    e = ulp_min
    # The exponent at which the mantissa has its full count of bits, but never below the smallest.
    guess = value.numerator.bit_length() - value.denominator.bit_length() - bits
    for e in range(max(ulp_min, guess - 2), guess + 4 + (0 if guess > ulp_min else ulp_min - guess)):
        if value / Fraction(2) ** e < 1 << bits:
            break
    scaled = value / Fraction(2) ** e
    mantissa = round(scaled)  # Fraction rounds half to even
    if mantissa == 1 << bits:
        mantissa >>= 1
        e += 1
    if mantissa < 1 << (bits - 1):
        return sign | mantissa
    biased = e - ulp_min + 1
    if biased >= inf:
        return None
    return sign | biased << (bits - 1) | (mantissa - (1 << (bits - 1)))


def exact_text(value):
    """All decimal digits of a fraction whose denominator is a power of two."""
    k = value.denominator.bit_length() - 1
    digits = str(value.numerator * 5**k).rjust(k + 1, "0")
    return digits if k == 0 else digits[:-k] + "." + digits[-k:]


def halfway_texts(rng):
    for name, (bits, ulp_min, inf) in FORMATS.items():
        top = ulp_min + inf - 2
        spots = [(0, ulp_min), (1, ulp_min), ((1 << (bits - 1)) - 1, ulp_min), ((1 << bits) - 1, ulp_min),
                 ((1 << bits) - 1, top), ((1 << bits) - 2, top), ((1 << bits) - 1, 0), (1 << (bits - 1), -20)]
        for _ in range(14):
            spots.append((rng.getrandbits(bits - 1) | 1 << (bits - 1), rng.randrange(max(ulp_min, -160), min(top, 200))))
        for mantissa, e in spots:
            middle = Fraction(2 * mantissa + 1) * Fraction(2) ** (e - 1)
            text = exact_text(middle)
            yield text
            if len(text) < 900:
                yield text + ("" if "." in text else ".") + "0" * 30 + "1"
                tail = text.rstrip("0").rstrip(".")
                yield tail[:-1] + str(int(tail[-1]) - 1) + ("" if "." in tail else ".") + "9" * 25


def texts(rng):
    yield from ["0", "-0", "0.0", "-0.0e5", "0e999999999999999999999", "1", "-1", "1.0", "1e0", "0.1", "0.3",
                "1e22", "1e23", "9007199254740993", "9007199254740992.5", "123456789012345678901234567890",
                "1e308", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309",
                "1e400", "1e99999999999999999999", "-1e39", "3.4028235e38", "3.4028236e38", "65504", "65519.99",
                "65520", "-65520", "65519.999999999999999999999", "5e-324", "2.4703282292062327e-324",
                "2.4703282292062328e-324", "2.5e-324", "1e-400", "1e-99999999999999999999", "4.9e-45", "7.006e-46",
                "7.01e-46", "1.4e-45", "5.9604645e-8", "2.98e-8", "2.9802322387695312e-8", "2.9802322387695313e-8",
                "2049", "2051", "2049.0", "2051.0", "257", "259", "257.0", "1.00390625", "1.01171875",
                "0." + "0" * 400 + "1e400", "1" + "0" * 300 + "e-300", "0.000001", "1E5", "1e+5", "1.5E-5",
                "8.5e37", "3.3895314e38", "3.396e38", "3.3961775292304601e38",
                "1." + "0" * 850 + "1", "9007199254740993." + "0" * 850 + "1", "0.5" + "0" * 990,
                "7.2057594037927933e16", "1.448997445238699", "2.2250738585072011e-308", "2.2250738585072014e-308"]
    yield from halfway_texts(rng)
    for _ in range(400):
        n = rng.choice([1, 3, 7, 9, 12, 17, 19, 20, 21, 25, 40])
        digits = "".join(rng.choice("0123456789") for _ in range(n))
        e = rng.choice([0, -5, 5, rng.randrange(-60, 60), rng.randrange(-360, 330)])
        yield rng.choice(["", "-"]) + rng.choice("123456789") + "." + digits + ("e%d" % e if e else "")
    for _ in range(60):  # ties of the narrow formats, written short
        yield "%d.0" % (2 * rng.randrange(1024, 2048) + 1 << rng.randrange(0, 4))
        yield "%d.0" % (2 * rng.randrange(128, 256) + 1 << rng.randrange(0, 40))


def shortest_f32(bits):
    """Of the decimals with the fewest digits that read back, the nearest, ties to even: both sides are tried,
    since at a power of two the nearest of a length may be outside where its neighbour is not."""
    value = struct.unpack("<f", struct.pack("<I", bits & 0x7FFFFFFF))[0]
    sign = "-" if bits >> 31 else ""
    if value == 0:
        return sign + "0.0"
    exact = Fraction(value)
    for n in range(1, 10):
        e = int(("%.20e" % value).split("e")[1]) - n + 1
        low = exact / Fraction(10) ** e
        low = low.numerator // low.denominator
        good = [d for d in (low, low + 1) if read_bits("%de%d" % (d, e), 24, -149, 255) == bits & 0x7FFFFFFF]
        if good:
            best = min(good, key=lambda d: (abs(d * Fraction(10) ** e - exact), d % 2))
            return sign + repr(float("%de%d" % (best, e)))
    raise AssertionError(bits)


def write_rows(rng):
    for name, width, mantissa in (("f64", 64, 52), ("f32", 32, 23)):
        top = {64: 2047, 32: 255}[width]
        spots = [0, 1 << (width - 1), 1, 2, (1 << mantissa) - 1, 1 << mantissa, (top << mantissa) - 1,
                 struct.unpack("<Q", struct.pack("<d", 0.1))[0] if width == 64 else 0x3DCCCCCD]
        for e in range(1, top, top // 60):
            spots += [e << mantissa, (e << mantissa) + 1, (e << mantissa) - 1]
        for value in (1.0, 1e15, 1e16, 1e17, 123456.0, 1e-4, 1e-5, 0.00012, 1e22, 1e23, 16777216.0, 33554432.0, 9.5):
            spots.append(struct.unpack("<Q", struct.pack("<d", value))[0] if width == 64
                         else struct.unpack("<I", struct.pack("<f", value))[0])
        spots += [rng.randrange(top << mantissa) | rng.getrandbits(1) << (width - 1) for _ in range(400)]
        for bits in spots:
            text = repr(struct.unpack("<d", struct.pack("<Q", bits))[0]) if width == 64 else shortest_f32(bits)
            yield "%s\t%x\t%s\n" % (name, bits, text)


def main():
    rng = random.Random(20250101)
    with open(sys.argv[1] + "/num_read.tsv", "w") as out:
        out.write("# text\tf64\tf32\tf16\tbf16 (bits, or range), by scripts/num_vectors.py\n")
        for text in texts(rng):
            if "99999999999" in text.split("e")[-1] and "e" in text:  # too far for fractions
                mantissa, e = text.split("e")
                small = Fraction(mantissa) == 0 or e.startswith("-")
                row = ["0"] * 4 if small else ["range"] * 4
            else:
                row = []
                for bits, ulp_min, inf in FORMATS.values():
                    got = read_bits(text, bits, ulp_min, inf)
                    row.append("range" if got is None else "%x" % got)
                value = float(text)
                expected = "range" if value in (float("inf"), float("-inf")) else "%x" % struct.unpack("<Q", struct.pack("<d", value))[0]
                assert row[0] == expected, (text, row, expected)
            out.write("\t".join([text] + row) + "\n")
    with open(sys.argv[1] + "/num_write.tsv", "w") as out:
        out.write("# format\tbits\tshortest text, by scripts/num_vectors.py\n")
        out.writelines(write_rows(rng))


main()
