#!/usr/bin/env python3
"""Makes canon_vectors.txt: what the specification's executable text does with random types and values.

    canon_vectors.py .../component-model/definitions.py > tests/component/canon_vectors.txt

Each line is one case for canon_vectors_test.c, fields name=value, numbers decimal, bytes hex:
  kind=value  enc type value  -> at (where stored), mem (memory from 512 to its last used byte), reallocs, flat (when it fits)
              then muts: edits of memory (addr.byte) and what lifting gives after each: a value or "trap"
              then flatmuts: flat values put instead, and what lifting gives
  kind=string src dst units bytes -> out (ptr.tagged units), mem, reallocs
Types and values are written in the prefix form that the test reads (see put_type, put_value). Memory is 64 KiB; realloc
always takes new room upwards from 608 and copies what fits; mem starts at 512.
"""
import importlib.util, random, struct, sys

spec = importlib.util.spec_from_file_location("definitions", sys.argv[1])
d = importlib.util.module_from_spec(spec)
sys.modules["definitions"] = d
spec.loader.exec_module(d)
d.DETERMINISTIC_PROFILE = True
rnd = random.Random(20260821)

MEM, AT, HEAP, LONG = 65536, 512, 608, 400
ENCS = ["utf8", "utf16", "latin1+utf16"]
PRIMS = [d.BoolType, d.S8Type, d.U8Type, d.S16Type, d.U16Type, d.S32Type, d.U32Type, d.S64Type, d.U64Type,
         d.F32Type, d.F64Type, d.CharType, d.StringType]
KIND = {"list": 13, "record": 14, "tuple": 15, "variant": 16, "enum": 17, "option": 18, "result": 19, "flags": 20,
        "own": 21, "borrow": 22}
INTS = {d.S8Type: "<b", d.U8Type: "<B", d.S16Type: "<h", d.U16Type: "<H", d.S32Type: "<i", d.U32Type: "<I",
        d.S64Type: "<q", d.U64Type: "<Q"}


class TooMuch(Exception):
    pass


class FakeTask(d.Task):
    def __init__(self):
        self.num_borrows = 0


class Cx(d.LiftLowerContext):
    """A context whose realloc is a bump allocator that writes down what it was asked."""

    def __init__(self, enc, inst, mem=None):
        self.mem = mem or d.MemInst(bytearray(MEM), "i32")
        super().__init__(d.LiftLowerOptions(enc, self.mem, None), inst, FakeTask())
        self.heap, self.log = HEAP, []

    def reallocate(self, old, old_size, align, size):
        ptr = (self.heap + align - 1) // align * align
        self.heap = ptr + size
        if self.heap > MEM:
            raise TooMuch()
        n = min(old_size, size)
        self.mem.bytes[ptr:ptr + n] = self.mem.bytes[old:old + n]
        self.log.append((old, old_size, align, size))
        return ptr


real_load, loads = d.load, [0]


def counted_load(cx, ptr, t):
    loads[0] += 1
    if loads[0] > 100000:
        raise TooMuch()
    return real_load(cx, ptr, t)


d.load = counted_load

# ---- random types and values ----
me, other = d.ComponentInstance(None), d.ComponentInstance(None)
RT = d.ResourceType(other)


def any_type(depth):
    k = rnd.randrange(26)
    if depth == 0 or k < 13:
        return PRIMS[rnd.randrange(13)]()
    sub = lambda: any_type(depth - 1)
    opt = lambda: sub() if rnd.random() < 0.6 else None
    n = rnd.randint(1, 5)
    if k < 16:
        return d.ListType(sub())
    if k < 18:
        return d.RecordType([d.FieldType("f%d" % i, sub()) for i in range(n)])
    if k == 18:
        return d.TupleType([sub() for i in range(n)])
    if k == 19:
        return d.VariantType([d.CaseType("c%d" % i, opt()) for i in range(n)])
    if k == 20:
        return d.EnumType(["e%d" % i for i in range(rnd.choice([1, 2, 3, 256, 257, 300]))])
    if k == 21:
        return d.OptionType(sub())
    if k == 22:
        return d.ResultType(opt(), opt())
    if k == 23:
        return d.FlagsType(["l%d" % i for i in range(rnd.choice([1, 7, 8, 9, 16, 17, 31, 32]))])
    return d.OwnType(RT) if k == 24 else d.BorrowType(RT)


def any_char():
    c = rnd.choice([rnd.randrange(0x80), rnd.randrange(0x100), rnd.randrange(0x3000), rnd.randrange(0x110000)])
    return "?" if 0xd800 <= c <= 0xdfff else chr(c)


def any_string():
    top = rnd.choice([0x80, 0x100, 0x100, 0x800, 0x110000])
    s = "".join(chr(rnd.randrange(top)) for _ in range(rnd.choice([0, 1, 2, 3, 9, 20])))
    return "".join("!" if 0xd800 <= ord(c) <= 0xdfff else c for c in s)


def tagged(s):
    return (s, "utf8", len(s.encode()))


def any_value(t):
    if type(t) in INTS:
        f = INTS[type(t)]
        return struct.unpack(f, rnd.randbytes(struct.calcsize(f)))[0]
    if isinstance(t, d.BoolType):
        return rnd.random() < 0.5
    if isinstance(t, d.F32Type):
        return d.canonicalize_nan32(struct.unpack("<f", rnd.choice([rnd.randbytes(4), b"\1\0\xc0\xff"]))[0])
    if isinstance(t, d.F64Type):
        return d.canonicalize_nan64(struct.unpack("<d", rnd.choice([rnd.randbytes(8), b"\1\0\0\0\0\0\xf0\x7f"]))[0])
    if isinstance(t, d.CharType):
        return any_char()
    if isinstance(t, d.StringType):
        return tagged(any_string())
    if isinstance(t, d.ListType):
        return [any_value(t.t) for _ in range(rnd.choice([0, 1, 2, 5]))]
    if isinstance(t, (d.OwnType, d.BorrowType)):
        return rnd.randrange(1, 1 << 32)
    if isinstance(t, d.FlagsType):
        return {l: rnd.random() < 0.5 for l in t.labels}
    t = d.despecialize(t)
    if isinstance(t, d.RecordType):
        return {f.label: any_value(f.t) for f in t.fields}
    c = rnd.choice(t.cases)
    return {c.label: None if c.t is None else any_value(c.t)}


# ---- the prefix form ----
def u16(n):
    return struct.pack("<H", n)


def u32(n):
    return struct.pack("<I", n)


def put_type(t):
    if type(t) in PRIMS:
        return bytes([PRIMS.index(type(t))])
    opt = lambda t: b"\0" if t is None else b"\1" + put_type(t)
    if isinstance(t, d.ListType):
        return bytes([KIND["list"]]) + put_type(t.t)
    if isinstance(t, d.RecordType):
        return bytes([KIND["record"]]) + u16(len(t.fields)) + b"".join(put_type(f.t) for f in t.fields)
    if isinstance(t, d.TupleType):
        return bytes([KIND["tuple"]]) + u16(len(t.ts)) + b"".join(put_type(x) for x in t.ts)
    if isinstance(t, d.VariantType):
        return bytes([KIND["variant"]]) + u16(len(t.cases)) + b"".join(opt(c.t) for c in t.cases)
    if isinstance(t, d.EnumType):
        return bytes([KIND["enum"]]) + u16(len(t.labels))
    if isinstance(t, d.OptionType):
        return bytes([KIND["option"]]) + put_type(t.t)
    if isinstance(t, d.ResultType):
        return bytes([KIND["result"]]) + opt(t.ok) + opt(t.error)
    if isinstance(t, d.FlagsType):
        return bytes([KIND["flags"]]) + u16(len(t.labels))
    return bytes([KIND["own" if isinstance(t, d.OwnType) else "borrow"]])


def put_value(t, v):
    if type(t) in INTS:
        return struct.pack(INTS[type(t)], v)
    if isinstance(t, d.BoolType):
        return bytes([v])
    if isinstance(t, d.F32Type):
        return struct.pack("<f", v)
    if isinstance(t, d.F64Type):
        return struct.pack("<d", v)
    if isinstance(t, d.CharType):
        return u32(ord(v))
    if isinstance(t, d.StringType):
        return u32(len(v[0].encode())) + v[0].encode()
    if isinstance(t, d.ListType):
        return u32(len(v)) + b"".join(put_value(t.t, x) for x in v)
    if isinstance(t, (d.OwnType, d.BorrowType)):
        return u32(v)
    if isinstance(t, d.FlagsType):
        return u32(d.pack_flags_into_int(v, t.labels))
    t = d.despecialize(t)
    if isinstance(t, d.RecordType):
        return b"".join(put_value(f.t, v[f.label]) for f in t.fields)
    i, x = d.match_case(v, t.cases)
    return u32(i) + (b"" if t.cases[i].t is None else put_value(t.cases[i].t, x))


def fnv(b):
    h = 0xcbf29ce484222325
    for c in b:
        h = (h ^ c) * 0x100000001b3 & (1 << 64) - 1
    return h


def shown(b):
    return b.hex() if len(b) <= LONG else "#%d" % fnv(b)


def core_bits(v, ct):
    if ct == "f32":
        return struct.unpack("<I", struct.pack("<f", v))[0]
    if ct == "f64":
        return struct.unpack("<Q", struct.pack("<d", v))[0]
    return v


def core_value(bits, ct):
    if ct == "f32":
        return struct.unpack("<f", struct.pack("<I", bits & 0xffffffff))[0]
    if ct == "f64":
        return struct.unpack("<d", struct.pack("<Q", bits))[0]
    return bits & 0xffffffff if ct == "i32" else bits


def log_text(log):
    return ";".join("%d.%d.%d.%d" % e for e in log) or "-"


def mem_text(mem):
    return bytes(mem.bytes)[AT:].rstrip(b"\0").hex() or "-"


def lift(cx, table, how):
    """How lifting ends, on a copy of the handle table."""
    inst = d.ComponentInstance(None)
    inst.handles.array = [None if h is None else d.ResourceHandle(h.rt, h.rep, h.own) for h in table.array]
    inst.handles.free = list(table.free)
    cx2 = d.LiftLowerContext(cx.opts, inst, d.Subtask())
    loads[0] = 0
    return how(cx2)


def outcome(cx, table, t, how):
    try:
        return shown(put_value(t, lift(cx, table, how)))
    except d.Trap:
        return "trap"


def value_case(enc):
    t = any_type(rnd.choice([1, 2, 3]))
    v = any_value(t)
    inst = d.ComponentInstance(None)
    cx = Cx(enc, inst)
    at = AT
    if at + d.elem_size(t, "i32") > HEAP:
        raise TooMuch()
    d.store(cx, v, t, at)
    out = ["kind=value", "enc=%s" % enc, "type=%s" % put_type(t).hex(), "value=%s" % put_value(t, v).hex(),
           "at=%d" % at, "mem=%s" % mem_text(cx.mem), "reallocs=%s" % log_text(cx.log)]
    muts = []
    end = len(bytes(cx.mem.bytes).rstrip(b"\0"))
    pointers = [at + i for i in range(d.elem_size(t, "i32"))]
    for _ in range(4):
        saved = bytes(cx.mem.bytes)
        edits = []
        for _ in range(rnd.choice([1, 1, 2])):
            a = rnd.choice(pointers) if rnd.random() < 0.7 or end <= HEAP else rnd.randrange(HEAP, end)
            b = rnd.choice([0, 1, 0x80, 0xd8, 0xff, rnd.randrange(256)])
            cx.mem.bytes[a] = b
            edits.append("%d.%d" % (a, b))
        try:
            muts.append("%s:%s" % (",".join(edits), outcome(cx, inst.handles, t, lambda c: d.load(c, at, t))))
        except TooMuch:
            pass
        cx.mem.bytes[:] = saved
    out.append("muts=%s" % (";".join(muts) or "-"))
    ft = d.flatten_type(t, cx.opts)
    if len(ft) > 16:
        return out
    inst = d.ComponentInstance(None)
    cx = Cx(enc, inst)
    flat = d.lower_flat(cx, v, t)
    out.append("flat=%s" % ".".join(str(core_bits(x, c)) for x, c in zip(flat, ft)))
    muts = []
    for _ in range(3):
        bits = [core_bits(x, c) for x, c in zip(flat, ft)]
        i = rnd.randrange(len(bits))
        bits[i] = rnd.choice([rnd.getrandbits(64), bits[i] ^ (1 << rnd.randrange(64)), 0, 2 ** 32 - 1]) & (
            (1 << 64) - 1 if ft[i] in ("i64", "f64") else (1 << 32) - 1)
        vals = [core_value(b, c) for b, c in zip(bits, ft)]
        try:
            muts.append("%s:%s" % (".".join(map(str, bits)),
                                   outcome(cx, inst.handles, t, lambda c: d.lift_flat(c, d.CoreValueIter(vals), t))))
        except TooMuch:
            pass
    out.append("flatmem=%s" % mem_text(cx.mem))
    out.append("flatmuts=%s" % (";".join(muts) or "-"))
    return out


def string_case(src, dst):
    s = any_string()
    if src == "utf8":
        raw, units = s.encode(), len(s.encode())
    elif src == "utf16":
        raw, units = s.encode("utf-16-le"), len(s.encode("utf-16-le")) // 2
    else:
        narrow = all(ord(c) < 256 for c in s) and rnd.random() < 0.6
        raw = s.encode("latin-1" if narrow else "utf-16-le")
        units = len(raw) if narrow else len(raw) // 2 | 1 << 31
    cx = Cx(dst, me)
    ptr, got = d.store_string_into_range(cx, (s, src, units))
    return ["kind=string", "src=%s" % src, "dst=%s" % dst, "units=%d" % units, "bytes=%s" % (raw.hex() or "-"),
            "out=%d.%d" % (ptr, got), "mem=%s" % mem_text(cx.mem), "reallocs=%s" % log_text(cx.log)]


done = 0
while done < 420:
    try:
        line = " ".join(value_case(ENCS[done % 3]))
    except TooMuch:
        continue
    if len(line) < 2500:
        print(line)
        done += 1
for i in range(270):
    print(" ".join(string_case(ENCS[i % 3], ENCS[i // 3 % 3])))
