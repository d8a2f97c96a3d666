#!/usr/bin/env python3
"""Writes tests/hostile/zip/ and tests/hostile/pickle/ with their tables zip.tsv and pickle.tsv: one small checkpoint for each way in which
a .pth can be wrong (and some odd ones that are right), the status that it must get, and words that the sentence must contain.
Standard library only; it writes the same bytes each time. Files too large to keep, and those that differ by one byte or opcode only, are
made by tests/test_zip.c and tests/test_pickle.c. The names start with the line of the hostile-input list that they stand for."""
import binascii
import io
import pathlib
import struct
import tarfile
import zipfile

here = pathlib.Path(__file__).parent
tables = {"zip": [], "pickle": []}


def case(folder, name, data, status, words="-"):
    assert all(name != row[0] for row in tables[folder]), name
    assert "\t" not in words and "\n" not in words
    tables[folder].append((name, data, status, words))


# ---- A zip file, every field of which can be wrong ------------------------------------------------------------------

def crc32(data):
    return binascii.crc32(data) & 0xffffffff


class Entry:
    """local and central: fields that differ there from what is true."""

    def __init__(self, name, data, flags=0, method=0, extra=b"", central_extra=b"", descriptor=None, local=None, central=None):
        self.name, self.data, self.extra, self.central_extra = name, data, extra, central_extra
        self.true = dict(flags=flags, method=method, crc=crc32(data), packed=len(data), size=len(data), name=name)
        self.local, self.central, self.descriptor = local or {}, central or {}, descriptor

    def head(self, fields, extra):
        return struct.pack("<HHHHHIIIHH", 0, fields["flags"], fields["method"], 0, 0, fields["crc"], fields["packed"], fields["size"],
                           len(fields["name"]), len(extra))

    def local_header(self):
        fields = {**self.true, **self.local}
        return b"PK\3\4" + self.head(fields, self.extra) + fields["name"] + self.extra

    def central_header(self, offset):
        fields = {"offset": offset, "comment": b"", "disk": 0, **self.true, **self.central}
        return (b"PK\1\2\0\0" + self.head(fields, self.central_extra)
                + struct.pack("<HHHII", len(fields["comment"]), fields["disk"], 0, 0, fields["offset"])
                + fields["name"] + self.central_extra + fields["comment"])


def streamed(name, data, **more):
    """As torch.save writes an entry: sizes and checksum follow the data."""
    return Entry(name, data, flags=0x0808, local=dict(crc=0, packed=0, size=0),
                 descriptor=b"PK\7\10" + struct.pack("<III", crc32(data), len(data), len(data)), **more)


def archive(entries, before=b"", after=b"", end=None, zip64=None, gap=b""):
    """end, zip64: fields that differ from what is true; zip64 None: no zip64 records."""
    out, offsets = before, []
    for entry in entries:
        offsets.append(len(out))
        out += entry.local_header() + entry.data + (entry.descriptor or b"")
    out += gap
    directory = b"".join(entry.central_header(offset) for entry, offset in zip(entries, offsets))
    true = dict(disk=0, start=0, here=len(entries), count=len(entries), size=len(directory), at=len(out), comment=b"", comment_size=None)
    at = len(out) + len(directory)
    out += directory
    if zip64 is not None:
        f = {**true, "record": 44, "locator": at, "disks": 1, "signature": b"PK\6\6", **zip64}
        out += f["signature"] + struct.pack("<QHHIIQQQQ", f["record"], 45, 45, f["disk"], f["start"], f["here"], f["count"], f["size"], f["at"])
        out += b"PK\6\7" + struct.pack("<IQI", 0, f["locator"], f["disks"])
    f = {**true, **(end or {})}
    size = len(f["comment"]) if f["comment_size"] is None else f["comment_size"]
    return out + b"PK\5\6" + struct.pack("<HHHHIIH", f["disk"], f["start"], f["here"], f["count"], f["size"], f["at"], size) + f["comment"] + after


# ---- Pickles, by opcode -------------------------------------------------------------------------------------------------

def text(s):
    s = s.encode() if isinstance(s, str) else s
    return b"X" + struct.pack("<I", len(s)) + s


def number(n):
    return b"K" + bytes([n]) if 0 <= n < 256 else b"\x8a\x08" + struct.pack("<q", n)


def tup(*items):
    return b"(" + b"".join(items) + b"t"


def glob(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def ints(values):
    return tup(*(number(v) for v in values))


ORDERED = glob("collections", "OrderedDict") + b")R"
REBUILD = glob("torch._utils", "_rebuild_tensor_v2")


def storage(key="0", elements=4, kind="FloatStorage", location="cpu", more=b""):
    key = key if isinstance(key, bytes) else text(key)
    return b"(" + text("storage") + glob("torch", kind) + key + text(location) + number(elements) + more + b"tQ"


def tensor(size=(2, 2), stride=(2, 1), offset=0, of=None, hooks=ORDERED, grad=b"\x89", more=b""):
    return REBUILD + b"(" + (of or storage()) + number(offset) + ints(size) + ints(stride) + grad + hooks + more + b"tR"


def state(*pairs):
    return ORDERED + b"(" + b"".join(text(name) + value for name, value in pairs) + b"u"


GOOD = state(("a", tensor()))
FOUR = struct.pack("<4f", 1, 2, 3, 4)


def entries(body=GOOD, data=(("0", FOUR),), raw=None, make=Entry, top=b"t/", version=b"3\n", order=b"little"):
    pickle = raw if raw is not None else b"\x80\x02" + body + b"."
    all = [make(top + b"data.pkl", pickle)]
    all += [make(top + b"byteorder", order)] if order else []
    all += [make(top + b"data/" + key.encode(), bytes_) for key, bytes_ in data]
    return all + ([make(top + b"version", version)] if version else [])


def changed(index, **fields):
    """The good archive with one entry made differently."""
    all = entries()
    entry = all[index]
    all[index] = Entry(fields.pop("name", entry.name), fields.pop("data", entry.data), **fields)
    return all


def bad_zip(name, data, words, status="refused"):
    case("zip", name + ".pth", data, status, words)


# ---- Z: the container -----------------------------------------------------------------------------------------------------
good = archive(entries())
bad_zip("good", good, "-", "ok")
bad_zip("good-streamed", archive(entries(make=streamed), zip64={}), "-", "ok")
bad_zip("good-no-byteorder", archive(entries(order=None)), "-", "ok")

bad_zip("Z01-no-end-record", good[:-22], "end record: found none")
comment = archive(entries(), end=dict(comment=good[-22:]))
bad_zip("Z01-end-record-in-comment", comment, "directory: found")
bad_zip("Z01-two-end-records", good + good[-22:], "directory: found")
bad_zip("Z01-comment", archive(entries(), end=dict(comment=b"hello")), "end record: found 5 bytes after it, allowed 0")
bad_zip("Z01-only-an-end-record", archive([]), "entry count: found 0, allowed 1 or more")
bad_zip("Z01-four-bytes", b"PK\3\4", "end record: found a file of 4 bytes")
bad_zip("Z02-comment-past-end", archive(entries(), end=dict(comment_size=7)), "comment length: found 7")
bad_zip("Z03-directory-offset-outside", archive(entries(), end=dict(at=0x10000)), "directory: found")
bad_zip("Z03-directory-offset-4-gib", archive(entries(), end=dict(at=0xfffffffe)), "directory: found")
bad_zip("Z03-directory-size-outside", archive(entries(), end=dict(size=0x7fffffff)), "directory: found 2147483647 bytes")
bad_zip("Z03-directory-size-0", archive(entries(), end=dict(size=0)), "directory: found 0 bytes")
bad_zip("Z04-count-one-more", archive(entries(), end=dict(here=5, count=5)), "entry count: found 5, allowed at most 4")
bad_zip("Z04-count-one-less", archive(entries(), end=dict(here=3, count=3)), "directory: found its 3 entries to end here")
bad_zip("Z04-count-65534", archive(entries(), end=dict(here=65534, count=65534)), "entry count: found 65534, allowed at most")
bad_zip("Z04-counts-differ", archive(entries(), end=dict(here=3)), "entry count: found 3 on this disk and 4 in all")
bad_zip("Z04-second-disk", archive(entries(), end=dict(disk=1)), "disk number: found 1 and 0")
full = dict(here=0xffff, count=0xffff, size=0xffffffff, at=0xffffffff)
bad_zip("Z05-zip64", archive(entries(), zip64={}, end=full), "-", "ok")
bad_zip("Z05-zip64-missing", archive(entries(), end=full), "zip64 locator: found signature")
bad_zip("Z05-zip64-missing-in-short-file", archive([], end=full), "zip64 locator: found 0 bytes before it")
bad_zip("Z05-zip64-contradicts", archive(entries(), zip64=dict(here=5, count=5)), "zip64 end record: found 5 entries")
bad_zip("Z05-zip64-other-offset", archive(entries(), zip64=dict(at=1)), "zip64 end record: found 4 entries, directory")
bad_zip("Z05-zip64-count-wraps", archive(entries(), zip64=dict(here=2**63, count=2**63), end=full), "entry count: found 9223372036854775808")
bad_zip("Z05-zip64-offset-wraps", archive(entries(), zip64=dict(at=2**64 - 1), end=full), "directory: found")
bad_zip("Z05-zip64-size-wraps", archive(entries(), zip64=dict(size=2**64 - 1), end=full), "directory: found 18446744073709551615 bytes")
bad_zip("Z05-zip64-record-size", archive(entries(), zip64=dict(record=45)), "zip64 record size: found 45, allowed 44")
bad_zip("Z05-zip64-signature", archive(entries(), zip64=dict(signature=b"PK\6\5")), "zip64 end record: found signature")
bad_zip("Z05-zip64-locator-elsewhere", archive(entries(), zip64=dict(locator=0)), "zip64 locator: found offset 0")
bad_zip("Z05-zip64-two-disks", archive(entries(), zip64=dict(disks=2)), "zip64 locator: found offset")
wide = struct.pack("<HHQQ", 1, 16, 16, 16)
filled = dict(packed=0xffffffff, size=0xffffffff)
bad_zip("Z05-extra-sizes", archive(changed(2, extra=wide, central_extra=wide, local=filled, central=filled)), "-", "ok")
bad_zip("Z05-extra-missing", archive(changed(2, central=filled)), "zip64 extra field: found none")
bad_zip("Z05-extra-short", archive(changed(2, extra=wide, central_extra=wide[:12].replace(b"\1\0\20", b"\1\0\10"), local=filled, central=filled)),
        "zip64 extra field: found 8 bytes")
huge = struct.pack("<HHQQ", 1, 16, 2**64 - 1, 2**64 - 1)
bad_zip("Z05-extra-size-wraps", archive(changed(2, extra=huge, central_extra=huge, local=filled, central=filled)), "size: found 18446744073709551615 bytes")
bad_zip("Z05-extra-past-end", archive(changed(2, central_extra=struct.pack("<HH", 0x4246, 9))), "extra field length: found 9, allowed at most 0")
bad_zip("Z06-local-outside", archive(changed(3, central=dict(offset=0xfffffff0))), "header offset: found 4294967280")
bad_zip("Z06-local-no-header", good.replace(b"PK\3\4", b"PK\3\5"), "found a file of no kind that is known here")
last_header = good.rindex(b"PK\3\4")
bad_zip("Z06-last-local-no-header", good[:last_header] + b"PK\3\5" + good[last_header + 4:], "local header: found signature 0x05034b50")
bad_zip("Z06-local-in-data", archive(changed(3, central=dict(offset=40))), 'size: found 167 bytes of "t/data.pkl" at offset 40, allowed to end at 40')
bad_zip("Z07-name-differs", archive(changed(2, local=dict(name=b"t/data/1"))), 'entry name: found "t/data/1", allowed "t/data/0", as in the directory')
bad_zip("Z07-name-length-differs", archive(changed(2, local=dict(name=b"t/data/00"))), 'entry name: found "t/data/00", allowed "t/data/0"')
bad_zip("Z07-size-differs", archive(changed(2, local=dict(size=15))), "size: found 15 in the local header")
bad_zip("Z07-packed-size-differs", archive(changed(2, local=dict(packed=15))), "packed size: found 15 in the local header")
bad_zip("Z07-crc-differs", archive(changed(2, local=dict(crc=1))), "CRC: found 1 in the local header")
bad_zip("Z07-method-differs", archive(changed(2, local=dict(method=8))), "compression method: found 8 in the local header")
bad_zip("Z07-flags-differ", archive(changed(2, local=dict(flags=0x0800))), "flags: found 2048 in the local header")
torn = entries(make=streamed)
torn[2].descriptor = torn[2].descriptor[:4] + b"\0\0\0\0" + torn[2].descriptor[8:]
bad_zip("Z07-descriptor-crc-differs", archive(torn), "descriptor: found CRC 0x00000000 and sizes 16 and 16")
torn = entries(make=streamed)
torn[2].descriptor = torn[2].descriptor[:12] + b"\7\0\0\0"
bad_zip("Z07-descriptor-size-differs", archive(torn), "and sizes 16 and 7, allowed")
torn = entries(make=streamed)
torn[2].descriptor = b"PK\7\7" + torn[2].descriptor[4:]
bad_zip("Z07-descriptor-signature", archive(torn), "descriptor: found signature")
torn = entries(make=streamed)
torn[2].descriptor = b""
bad_zip("Z07-descriptor-missing", archive(torn), 'gap: found 0 bytes between "t/data/0" and what follows, allowed a descriptor')
torn = entries(make=streamed)
torn[2].descriptor = b"PK\7\10" + struct.pack("<IQQ", crc32(FOUR), 16, 16)
bad_zip("Z07-descriptor-of-64-bits", archive(torn), "-", "ok")
bad_zip("Z08-encrypted", archive(changed(2, flags=1)), "flags: found 0x0001: the entry is encrypted")
bad_zip("Z08-strong-encryption", archive(changed(2, flags=0x40)), "flags: found 0x0040")
sizeless = streamed(b"t/data/0", FOUR, central=dict(crc=0, packed=0, size=0))
sizeless.descriptor = b"PK\7\10" + bytes(12)
bad_zip("Z08-descriptor-sizes-0", archive(entries()[:2] + [sizeless] + entries()[3:]), "gap: found 32 bytes")
bad_zip("Z09-deflated", archive(changed(2, method=8)), 'compression method: found 8 for "t/data/0", allowed 0 (stored)')
bad_zip("Z09-stored-in-fewer-bytes", archive(changed(2, local=dict(size=64), central=dict(size=64))), 'packed size: found 16 for "t/data/0" of 64 bytes')
bad_zip("Z10-overlap", archive(changed(2, local=dict(packed=40, size=40), central=dict(packed=40, size=40))), 'size: found 40 bytes of "t/data/0"')
bad_zip("Z10-overlaps-directory", archive(changed(3, local=dict(packed=40, size=40), central=dict(packed=40, size=40))), 'size: found 40 bytes of "t/version"')
bad_zip("Z10-same-local-header", archive(changed(3, central=dict(offset=0))), 'size: found 167 bytes of "t/data.pkl" at offset 40, allowed to end at 0')
bad_zip("Z10-hole", archive(entries(), gap=b"hidden"), 'gap: found 6 bytes between "t/version" and what follows')
bad_zip("Z11-duplicate", archive(entries() + [Entry(b"t/data/0", FOUR)]), 'entry name: found "t/data/0" beside "t/data/0"')
bad_zip("Z11-case", archive(entries() + [Entry(b"t/DATA.pkl", b"\x80\x02N.")]), 'entry name: found "t/DATA.pkl" beside "t/data.pkl"')
bad_zip("Z12-crc-of-pickle", archive(changed(0, local=dict(crc=7), central=dict(crc=7))), 'CRC: found')
bad_zip("Z12-crc-of-tensor", archive(changed(2, local=dict(crc=7), central=dict(crc=7))), 'allowed 0x00000007, as the directory says: "t/data/0" is damaged')
bad_zip("Z12-crc-of-version", archive(changed(3, local=dict(crc=7), central=dict(crc=7))), '"t/version" is damaged')
bad_zip("Z13-bytes-before", archive(entries(), before=b"PK\3\4 hello"), "first entry: found 10 bytes before it, allowed 0")
bad_zip("Z13-script-before", archive(entries(), before=b"#!/bin/sh\nexit\n"), "found a file of no kind that is known here")
bad_zip("Z13-bytes-after", good + b"x", "end record: found 1 bytes after it")
for name, path, words in [("absolute", b"/etc/passwd", "allowed a relative path"), ("dots", b"t/../../x", "allowed a relative path"),
                          ("dot", b"t/./x", "allowed a relative path"), ("backslash", b"t\\x", "allowed no control byte and no backslash"),
                          ("nul", b"t/x\0y", 'found "t/x\\x00y", allowed no control byte'), ("escape", b"t/\x1b[2J", "allowed no control byte"),
                          ("empty", b"", "entry name: found 0 bytes, allowed 1 to 1024"), ("folder", b"t/x/", "allowed a relative path"),
                          ("64k", b"t/" + b"x" * 65533, "entry name: found 65535 bytes"), ("1025", b"t/" + b"x" * 1023, "entry name: found 1025 bytes")]:
    bad_zip("Z14-name-" + name, archive(entries() + [Entry(path, b"")]), words)
bad_zip("Z14-name-1024", archive(entries() + [Entry(b"t/" + b"x" * 1022, b"")]), "-", "ok")
bad_zip("Z15-no-data-pkl", archive(entries()[1:]), "there is no data.pkl in it")
bad_zip("Z15-data-pkl-elsewhere", archive(entries()[1:] + [Entry(b"t/x/data.pkl", b"")]), "data.pkl: found none in the top folder")
bad_zip("Z15-two-top-folders", archive(entries() + entries(top=b"u/")), 'top folder: found "u/byteorder" beside "t/byteorder"')
bad_zip("Z15-no-top-folder", archive(entries() + [Entry(b"alone", b"")]), 'top folder: found "alone" in no folder')
bad_zip("Z15-no-version", archive(entries(version=None)), "version: found no such entry")
bad_zip("Z16-big-endian", archive(entries(order=b"big")), 'byteorder: found "big", allowed "little"')
bad_zip("Z17-storage-missing", archive(entries(data=())), 'storage key: found "0", allowed one that the file has data for')
bad_zip("Z17-storage-short", archive(entries(data=(("0", FOUR[:15]),))), "storage: found 15 bytes in data/0, allowed 16 for 4 of F32")
bad_zip("Z17-storage-long", archive(entries(data=(("0", FOUR + b"x"),))), "storage: found 17 bytes in data/0, allowed 16")
bad_zip("Z17-storage-not-referenced", archive(entries(data=(("0", FOUR), ("1", FOUR)))), 'storages: found data "1" that nothing refers to')
bad_zip("Z17-storage-no-digits", archive(entries(data=(("0", FOUR), ("x", FOUR)))), "allowed digits after data/")
bad_zip("Z17-storage-empty-key", archive(entries(data=(("0", FOUR), ("0/1", FOUR)))), "allowed digits after data/")
bad_zip("Z18-torchscript", archive(entries() + [Entry(b"t/code/__torch__.py", b"", method=8), Entry(b"t/constants.pkl", b"")]), "found a TorchScript archive")
memory = io.BytesIO()
with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr(zipfile.ZipInfo("a.npy"), b"\x93NUMPY" + bytes(100), zipfile.ZIP_DEFLATED)
bad_zip("Z18-numpy-npz", memory.getvalue(), "found a NumPy .npz archive")
memory = io.BytesIO()
with tarfile.open(fileobj=memory, mode="w") as t:
    t.addfile(tarfile.TarInfo("sys_info"))
bad_zip("Z18-tar", memory.getvalue()[:1024], "found a tar archive")
bad_zip("Z18-plain-pickle", b"\x80\x04\x95\x02\0\0\0\0\0\0\0N.", "found a Python pickle")
bad_zip("Z18-html", b"<!DOCTYPE html><html>404", "found a web page")
bad_zip("Z18-git-lfs", b"version https://git-lfs.github.com/spec/v1\n", "found a Git LFS pointer")
bad_zip("Z18-gzip", b"\x1f\x8b\x08\0", "found a gzip file")
bad_zip("Z18-empty", b"", "found an empty file")
bad_zip("Z18-noise", bytes(range(7, 200)), "found a file of no kind that is known here")
bad_zip("Z20-nested", archive([Entry(b"model.pth", good)]), 'found a zip archive of something else ("model.pth")')
bad_zip("Z20-nested-as-storage", archive(entries(body=state(("a", tensor((2, 2), (2, 1), of=storage(elements=len(good), kind="ByteStorage")))), data=(("0", good),))), "-", "ok")


# ---- P: the pickle --------------------------------------------------------------------------------------------------------

def pickle(name, words, body=None, status="refused", data=(("0", FOUR),), raw=None):
    case("pickle", name + ".pth", archive(entries(body=body, data=data, raw=raw)), status, words)


def whole(name, words, value, **more):
    """A state dict with one good tensor and then `value` under "b"."""
    pickle(name, words, state(("a", tensor()), ("b", value)), **more)


for version in (0, 1, 4, 5, 255):
    pickle(f"P01-protocol-{version}", f"PROTO: found protocol {version}, allowed 2", raw=b"\x80" + bytes([version]) + GOOD + b".")
pickle("P01-protocol-3", "-", raw=b"\x80\x03" + GOOD + b".", status="ok")
pickle("P01-no-proto", "opcode: found 0x7d, allowed 0x80 (PROTO)", raw=b"}.")
pickle("P01-text-pickle", "opcode: found 0x28, allowed 0x80 (PROTO)", raw=b"(dp0\n.")
pickle("P01-proto-twice", "PROTO: found a second time", raw=b"\x80\x02\x80\x02" + GOOD + b".")
pickle("P01-empty", "opcode: needs 1 bytes, found 0", raw=b"")
for module, name in [("os", "system"), ("posix", "system"), ("nt", "system"), ("builtins", "eval"), ("__builtin__", "eval"), ("sys", "exit"),
                     ("runpy", "run_path"), ("torch", "load"), ("functools", "partial"), ("torch", "device"), ("torch.FloatStorage", "__init__"),
                     ("collections", "defaultdict"), ("collections.OrderedDict", "fromkeys"), ("torch", "FloatStorage "),
                     ("torchvision.models.detection.faster_rcnn", "FasterRCNN")]:
    whole("P03-" + f"{module}-{name}".replace(" ", "_"), f'GLOBAL: found "{module} {name}", allowed only what a state dict is made of', glob(module, name))
whole("P03-carriage-return", 'GLOBAL: found "torch\\x0d FloatStorage', b"ctorch\r\nFloatStorage\r\n")
whole("P03-no-newline", "GLOBAL: found no end of a name", b"c" + b"x" * 300)
whole("P03-long-name", "GLOBAL: found no end of a name", b"ctorch\n" + b"x" * 129 + b"\n")
whole("P03-called", 'GLOBAL: found "os system"', glob("os", "system") + tup(text("true")) + b"R")
whole("P04-reduce-string", "REDUCE: found a string, allowed OrderedDict", text("x") + b")R")
whole("P04-reduce-storage-type", "REDUCE: found a storage type, allowed", glob("torch", "FloatStorage") + b")R")
whole("P04-arguments-no-tuple", "REDUCE: found a list as arguments, allowed a tuple", glob("collections", "OrderedDict") + b"]R")
whole("P04-ordered-dict-arguments", "REDUCE: found 1 arguments of OrderedDict, allowed 0", glob("collections", "OrderedDict") + tup(b"]") + b"R")
whole("P04-tensor-5-arguments", "_rebuild_tensor_v2: found 5 arguments, allowed 6", REBUILD + tup(storage(), b"K\0", b")", b")", b"\x89") + b"R")
whole("P04-tensor-7-arguments", "_rebuild_tensor_v2: found 7 arguments, allowed 6", tensor(more=b"}"))
whole("P04-tensor-of-string", "_rebuild_tensor_v2: found a string first, allowed a storage", tensor(of=text("x")))
whole("P04-tensor-of-tensor", "_rebuild_tensor_v2: found a tensor first", tensor(of=tensor()))
whole("P04-offset-string", "storage offset: found a string, allowed an int", REBUILD + b"(" + storage() + text("0") + b"))\x89" + ORDERED + b"tR")
whole("P04-offset-bool", "storage offset: found a bool", REBUILD + b"(" + storage() + b"\x88))\x89" + ORDERED + b"tR")
whole("P04-sizes-list", "sizes: found a list, allowed a tuple", REBUILD + b"(" + storage() + b"K\0](K\4e)\x89" + ORDERED + b"tR")
whole("P04-size-float", "sizes: found a float, allowed an int", REBUILD + b"(" + storage() + b"K\0(G" + bytes(8) + b"t(K\1t\x89" + ORDERED + b"tR")
whole("P04-hooks-filled", "_rebuild_tensor_v2: found a bool and an OrderedDict at the end", tensor(hooks=ORDERED + b"K\1K\2s"))
whole("P04-hooks-dict", "_rebuild_tensor_v2: found a bool and a dict at the end", tensor(hooks=b"}"))
PARAMETER = glob("torch._utils", "_rebuild_parameter")
whole("P04-parameter", "-", PARAMETER + tup(tensor(), b"\x88", ORDERED) + b"R", status="ok")
whole("P04-parameter-2-arguments", "REDUCE: found 2 arguments of _rebuild_parameter, allowed 3", PARAMETER + tup(tensor(), b"\x88") + b"R")
whole("P04-parameter-of-string", "REDUCE: found a string, a bool and an OrderedDict as arguments of _rebuild_parameter", PARAMETER + tup(text("x"), b"\x88", ORDERED) + b"R")
pickle("P06-mark-left", "STOP: found 1 values and 1 marks on the stack, allowed 1 and 0", body=b"(" + GOOD)
pickle("P06-two-values", "STOP: found 2 values and 0 marks", body=b"N" + GOOD)
pickle("P06-nothing", "STOP: found 0 values", body=b"")
pickle("P06-mark-missing", "SETITEMS: found no mark on the stack, allowed one", body=ORDERED + text("a") + tensor() + b"u")
pickle("P06-below-the-mark", "above the mark, allowed 2 or more", body=b"N(" + b"N\x86")
whole("P07-memo-unset", "BINGET: found memo slot 9, allowed one that was filled before", b"h\x09")
whole("P07-long-memo-unset", "LONG_BINGET: found memo slot 4294967295", b"j\xff\xff\xff\xff")
whole("P07-memo-index-all-ones", "LONG_BINPUT: found memo slot 4294967295 in a pickle of", b"Nr\xff\xff\xff\xff0")
whole("P07-memo-index-past-bytes", "LONG_BINPUT: found memo slot 65536 in a pickle of", b"Nr\0\0\1\0")
whole("P07-put-of-nothing", "BINPUT: found 0 values on the stack", b"(q\0")
whole("P08-setitems-tuple", "SETITEMS: found a tuple, allowed a dict", b")(K\1K\2u")
whole("P08-setitems-list", "SETITEMS: found a list, allowed a dict", b"](K\1K\2u")
whole("P08-setitems-none", "SETITEMS: found None, allowed a dict", b"N(K\1K\2u")
whole("P08-setitem-tensor", "SETITEM: found a tensor, allowed a dict", tensor() + b"K\1K\2s")
whole("P08-setitems-odd", "SETITEMS: found 3 values, allowed pairs", b"}(K\1K\2K\3u")
whole("P09-appends-dict", "APPENDS: found a dict, allowed a list", b"}(K\1e")
whole("P09-append-tuple", "APPEND: found a tuple, allowed a list", b")K\1a")
whole("P10-build-tuple", "BUILD: found a tuple as the state of an OrderedDict, allowed a dict as the state of an OrderedDict", ORDERED + b")b")
whole("P10-build-on-tensor", "BUILD: found a dict as the state of a tensor", tensor() + b"}b")
whole("P10-build-on-dict", "BUILD: found a dict as the state of a dict", b"}}b")
pickle("P10-metadata", "-", body=GOOD + b"}" + text("_metadata") + ORDERED + b"sb", status="ok")
pickle("P12-no-stop", "opcode: ", raw=b"\x80\x02" + GOOD)
pickle("P12-bytes-after-stop", "data.pkl: found 2 bytes after STOP, allowed 0", raw=b"\x80\x02" + GOOD + b".N.")
whole("P13-string-past-end", "BINUNICODE: ", b"X\xff\xff\xff\x7fabc")
whole("P13-string-4-gib", "BINUNICODE: ", b"X\xff\xff\xff\xff")
for name, data in [("lone-continuation", b"\x80"), ("overlong", b"\xc0\x80"), ("overlong-3", b"\xe0\x80\x80"), ("surrogate", b"\xed\xa0\x80"),
                   ("past-10ffff", b"\xf4\x90\x80\x80"), ("cut", b"abc\xe2\x82"), ("ff", b"\xff")]:
    whole("P13-utf8-" + name, "of a string, allowed UTF-8", text(data))
pickle("P13-name-with-nul", 'tensor name: found "a\\x00"', body=state(("a\0", tensor())))
pickle("P13-name-with-escape", 'tensor name: found "\\x1b[2J"', body=state(("\x1b[2J", tensor())))
pickle("P13-name-empty", "tensor name: found", body=state(("", tensor())))
pickle("P13-name-1025", "of 1025 bytes, allowed 1 to 1024", body=state(("x" * 1025, tensor())))
pickle("P13-name-1024", "-", body=state(("x" * 1024, tensor())), status="ok")
whole("P14-long-255", "LONG1: found an integer of 255 bytes, allowed at most 16", b"\x8a\xff" + bytes(255))
whole("P14-long4-negative", "LONG4: ", b"\x8b\xff\xff\xff\xff")
whole("P14-long4-17", "LONG4: found an integer of 17 bytes", b"\x8b\x11\0\0\0" + bytes(17))
pickle("P16-list-in-itself", "state dict: found a list under", body=state(("a", tensor()), ("b", b"]q\0h\0a")))
whole("P16-key-list", "SETITEM: found a list as a key", b"}]Ns")
whole("P16-key-tensor", "SETITEM: found a tensor as a key", b"}" + tensor() + b"Ns")
pickle("P16-state-in-itself", "-", body=b"}q\0" + text("model") + GOOD + b"s" + text("x") + b"h\0s", status="ok")
pickle("P17-laughs", "-", body=b"}" + text("model") + GOOD + b"s" + text("x") + b")q\1" + b"h\1h\1\x86q\1\x86" * 200 + b"s", status="ok")
whole("P18-id-4-items", "persistent id: found a tuple of another length", b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu") + b"tQ")
whole("P18-id-no-tuple", "persistent id: found a string", text("0") + b"Q")
whole("P18-id-not-storage", 'persistent id: found a string first, allowed the string "storage"', b"(" + text("module") + glob("torch", "FloatStorage") + text("0") + text("cpu") + b"K\4tQ")
whole("P18-unknown-class", 'GLOBAL: found "torch QInt8Storage"', tensor(of=storage(kind="QInt8Storage")))
whole("P18-class-is-function", "persistent id: found the type OrderedDict second", b"(" + text("storage") + glob("collections", "OrderedDict") + text("0") + text("cpu") + b"K\4tQ")
whole("P18-key-path", 'storage key: found a string "../x", allowed', tensor(of=storage(key="../x")))
whole("P18-key-21-digits", "storage key: found a string", tensor(of=storage(key="1" * 21)))
whole("P18-key-int", 'storage key: found an int "", allowed', tensor(of=storage(key=b"K\0")))
whole("P18-location-int", "storage location: found an int", b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + b"K\0K\4tQ")
pickle("P18-cuda", "-", body=state(("a", tensor(of=storage(location="cuda:0")))), status="ok")
whole("P18-view", "persistent id: found a tuple sixth, allowed None", tensor(of=storage(more=b")")))
whole("P18-two-types", 'storage: found "0" as 4 of I32, allowed 4 of F32, as before', tensor(of=storage(kind="IntStorage")))
whole("P18-two-sizes", 'storage: found "0" as 2 of F32, allowed 4 of F32, as before', tensor((1, 2), of=storage(elements=2)))
whole("P19-elements-negative", "storage elements: found -4, allowed 0 to", tensor(of=storage(elements=-4)))
whole("P19-elements-wrap", "storage elements: found 4611686018427387905, allowed 0 to", tensor(of=storage(elements=0x4000000000000001)))
whole("P19-elements-float", "storage elements: found a float", b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu") + b"G" + bytes(8) + b"tQ")
whole("P19-elements-long", "storage elements: found a long int", b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu") + b"\x8a\x09" + bytes(8) + b"\1tQ")
pickle("P19-elements-more-than-entry", "storage: found 16 bytes in data/0, allowed 4000", body=state(("a", tensor(of=storage(elements=1000)))))
for name, words, value in [
    ("offset-1", "extent: found offset, sizes and strides that reach past element 4", tensor(offset=1)),
    ("offset-negative", "storage offset: found an int below 0", tensor(offset=-1)),
    ("offset-wraps", "extent: found", tensor(offset=2**63 - 1, size=(2,), stride=(2**63 - 1,))),
    ("size-outside", "extent: found", tensor(size=(2, 3), stride=(2, 1))),
    ("stride-outside", "extent: found", tensor(size=(2, 2), stride=(3, 1))),
    ("stride-wraps", "extent: found", tensor(size=(3,), stride=(2**63 - 1,))),
    ("product-wraps", "extent: found", tensor(size=(2**32, 2**32), stride=(1, 1))),
    ("product-wraps-to-4", "extent: found", tensor(size=(2**62 + 1, 4), stride=(4, 1))),
    ("stride-0", "stride: found 0 for a dimension of 4, allowed 1 or more", tensor(size=(4,), stride=(0,))),
    ("stride-0-huge", "stride: found 0 for a dimension of 1099511627776", tensor(size=(2**40,), stride=(0,))),
    ("stride-negative", "strides: found -1, allowed 0 or more", tensor(size=(4,), stride=(-1,))),
    ("size-negative", "sizes: found -2, allowed 0 or more", tensor(size=(-2, 2))),
    ("windows", "sizes: found 6 elements, allowed at most the storage's 4", tensor(size=(2, 3), stride=(1, 1))),
    ("rank-65", "sizes: found 65 dimensions, allowed at most 8", tensor(size=(1,) * 65, stride=(1,) * 65)),
    ("rank-9", "sizes: found 9 dimensions, allowed at most 8", tensor(size=(1,) * 9, stride=(1,) * 9)),
    ("ranks-differ", "strides: found 1, allowed as many as sizes: 2", tensor(stride=(1,))),
    ("empty-offset-outside", "extent: found", tensor(size=(0,), stride=(1,), offset=5)),
]:
    whole("P20-" + name, words, value)
whole("P20-rank-8", "-", tensor(size=(1,) * 7 + (4,), stride=(9,) * 7 + (1,)), status="ok")
whole("P20-stride-0-of-one", "-", tensor(size=(1, 4), stride=(0, 1)), status="ok")
whole("P20-empty", "-", tensor(size=(0, 2**62), stride=(0, 0), offset=4), status="ok")
whole("P21-shared", "-", tensor(size=(2,), stride=(1,), offset=2), status="ok")
whole("P22-transposed", "-", tensor(stride=(1, 2)), status="ok")
pickle("P22-too-many-copies", "strides: found views to be copied that take more bytes than the file has", status="refused", data=(("0", bytes(4 * 1024)),),
       body=b"}" + text("s") + storage(elements=1024) + b"q\0s" + text("r") + REBUILD + b"q\1s" + text("t")
       + tup(b"h\0", b"K\0", ints((32, 32)), ints((1, 32)), b"\x89", ORDERED) + b"q\2s"
       + text("model") + ORDERED + b"(" + b"".join(text(f"t{i}") + b"h\1h\2R" for i in range(40)) + b"us")
pickle("P23-duplicate-key", 'state dict: found "a" twice, allowed once', body=state(("a", tensor()), ("b", tensor()), ("a", tensor())))
whole("P24-hostile-at-the-end", 'GLOBAL: found "os system"', ORDERED + b"}" + text("x") + glob("os", "system") + b"sb")
pickle("P25-prefix", "-", body=state(("module.a", tensor()), ("module.b", tensor())), status="ok")
pickle("P25-nested", "-", body=b"}(" + text("epoch") + b"K\3" + text("state_dict") + GOOD + b"u", status="ok")
pickle("P25-two-nested", 'object: found state dicts under "model" and "state_dict", allowed one', body=b"}(" + text("model") + GOOD + text("state_dict") + GOOD + b"u")
pickle("P25-nested-elsewhere", "object: found a dict of 2 without tensors (epoch: an int, weights: an OrderedDict), allowed a state dict",
       body=b"}(" + text("epoch") + b"K\3" + text("weights") + GOOD + b"u")
pickle("P25-list", "object: found a list, allowed a state dict", body=b"](" + tensor() + b"e")
pickle("P25-tensor", "object: found a tensor, allowed a state dict", body=tensor())
pickle("P25-number-beside-tensors", 'state dict: found an int under "epoch", allowed tensors', body=state(("a", tensor()), ("epoch", b"K\3")))
pickle("P25-int-key", "state dict: found an int as a key, allowed strings", body=b"}K\1" + tensor() + b"s")


# ---- P: the same in the legacy stream ---------------------------------------------------------------------------------------

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
MACHINE = b"\x80\x02}" + text("little_endian") + b"\x88s."


def stream(name, words, status="refused", magic=MAGIC, protocol=b"\x80\x02M\xe9\x03.", machine=MACHINE, body=GOOD, keys=(b"0",), data=None, after=b""):
    keys = keys if isinstance(keys, bytes) else b"](" + b"".join(text(k) for k in keys) + b"e"
    data = struct.pack("<q", 4) + FOUR if data is None else data
    case("pickle", "stream-" + name + ".pth", magic + protocol + machine + b"\x80\x02" + body + b"." + b"\x80\x02" + keys + b"." + data + after, status, words)


stream("good", "-", "ok")
stream("P01-magic-cut", "found a Python pickle", magic=MAGIC[:8] + MAGIC[9:])
stream("P12-magic-and-more", "magic number: found another", magic=MAGIC[:-1] + b"\x85.")
stream("protocol-1002", "protocol: found 1002, allowed 1001", protocol=b"\x80\x02M\xea\x03.")
stream("protocol-string", "protocol: found a string", protocol=b"\x80\x02" + text("1001") + b".")
stream("Z16-big-endian", "little_endian: found another value, allowed True", machine=MACHINE.replace(b"\x88", b"\x89"))
stream("Z16-no-byte-order", "little_endian: found none, allowed True", machine=b"\x80\x02}.")
stream("machine-list", "machine facts: found a list, allowed a dict", machine=b"\x80\x02].")
stream("P03-os-system", 'GLOBAL: found "os system"', body=glob("os", "system"))
stream("keys-tuple", "storage keys: found a tuple, allowed a list", keys=b")")
stream("keys-ints", "storage keys: found an int, allowed strings", keys=b"](K\0e")
stream("keys-twice", 'storage keys: found "0", allowed each once and in order', keys=(b"0", b"0"))
stream("keys-unsorted", 'storage keys: found "0", allowed each once and in order', keys=(b"1", b"0"))
stream("keys-missing", 'storage key: found "0", allowed one that the file has data for', keys=b"]", data=b"")
stream("Z17-key-not-referenced", 'storages: found data "1" that nothing refers to', keys=(b"0", b"1"), data=(struct.pack("<q", 4) + FOUR) * 2)
stream("P19-count-differs", "storage elements: found 5 for key 0, allowed 4", data=struct.pack("<q", 5) + FOUR + FOUR)
stream("P19-count-negative", "storage elements: found 18446744073709551612 for key 0", data=struct.pack("<q", -4) + FOUR)
stream("P19-data-short", "storage data: ", data=struct.pack("<q", 4) + FOUR[:15])
stream("P19-elements-huge", "storage data: ", body=state(("a", tensor(of=storage(elements=2**60)))), data=struct.pack("<q", 2**60) + FOUR)
stream("Z13-bytes-after", "end: found 1 bytes after the last storage, allowed 0", after=b"x")

for folder, rows in tables.items():
    out = here / folder
    out.mkdir(exist_ok=True)
    for old in out.iterdir():
        old.unlink()
    lines = ["# file\tstatus\twords; written by make_checkpoint.py"]
    for name, data, status, words in rows:
        (out / name).write_bytes(data)
        lines.append(f"{name}\t{status}\t{words}")
    (here / f"{folder}.tsv").write_text("\n".join(lines) + "\n")
