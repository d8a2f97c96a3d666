#!/usr/bin/env python3
"""Writes tests/hostile/safetensors/ and the table tests/hostile/safetensors.tsv: one small file for each way in which a weight
file can be wrong (and some odd ones that are right), the status that it must get, and words that the sentence must contain.
For an accepted file the words are its number of tensors. Standard library only; run it from anywhere, it writes the same bytes each time.
Files too large to keep (90 MB of brackets, a million tensors, an 8 EiB hole) are made by tests/test_safetensors.c itself.
The names start with the line of the hostile-input list that they stand for."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "safetensors")
cases = []


def case(name, data, status, words):
    assert all(name != c[0] for c in cases), name
    assert "\t" not in words and "\n" not in words
    cases.append((name, data, status, words))


def frame(header, data=b"", length=None):
    """The length, the header, the data; a wrong length on request."""
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def refused(name, header, words, data=b"", length=None):
    case(name, frame(header, data, length), "refused", words)


def accepted(name, header, tensors, data=b""):
    case(name, frame(header, data), "ok", f"{tensors} tensors")


def one(dtype='"U8"', shape="[4]", offsets="[0,4]", name='"a"'):
    """A header with one tensor; parts are JSON text."""
    return f'{{{name}:{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}}}'


FOUR = b"\1\2\3\4"

# ---- S01, S02: the frame --------------------------------------------------------------------------------------------
case("S01-empty", b"", "refused", "offset 0: header length: found a file of 0 bytes, allowed at least 8")
case("S01-1-byte", b"\x02", "refused", "header length: found a file of 1 bytes, allowed at least 8")
case("S01-7-bytes", b"\x02" + bytes(6), "refused", "header length: found a file of 7 bytes, allowed at least 8")
case("S01-8-bytes", struct.pack("<Q", 2), "refused", "header length: found 2, allowed 2 to 0")
refused("S02-length-0", "{}", "offset 0: header length: found 0, allowed 2 to 2", length=0)
refused("S02-length-1", "{}", "header length: found 1, allowed 2 to 2", length=1)
refused("S02-length-1-more", "{}", "header length: found 3, allowed 2 to 2 (the bytes that follow)", length=3)
refused("S02-length-100000001", "{}", "header length: found 100000001, allowed 2 to 2", length=100000001)
refused("S02-length-2-63", "{}", "header length: found 9223372036854775808, allowed 2 to 2", length=2**63)
refused("S02-length-all-ones", "{}", "header length: found 18446744073709551615, allowed 2 to 2", length=2**64 - 1)
refused("S02-length-wraps", "{}", "header length: found 18446744073709551608, allowed 2 to 2", length=2**64 - 8)

# ---- S03, S04: text -------------------------------------------------------------------------------------------------
refused("S03-not-utf8-name", one(name='"\udcff"').encode("utf-8", "surrogateescape"), "offset 10: tensor name: found bytes that are not UTF-8", FOUR)
refused("S03-overlong-name", one(name='"\udcc0\udc80"').encode("utf-8", "surrogateescape"), "tensor name: found bytes that are not UTF-8", FOUR)
refused("S03-surrogate-name", one(name='"\udced\udca0\udc80"').encode("utf-8", "surrogateescape"), "tensor name: found bytes that are not UTF-8", FOUR)
refused("S03-not-utf8-outside", b'{\xff"a":1}', 'header: found "\\xff", allowed a name in quotes')
refused("S03-lone-surrogate-escape", one(name='"\\ud800"'), 'tensor name: found ""\\ud800"", which is not JSON', FOUR)
refused("S04-array", "[]", 'offset 8: header: found "[" as its first byte, allowed "{"')
refused("S04-bracket", "[ ", 'header: found "[" as its first byte, allowed "{"')
refused("S04-text", "hello world", 'header: found "h" as its first byte, allowed "{"')
refused("S04-leading-space", " {}", 'header: found " " as its first byte, allowed "{"')
refused("S04-leading-newline", "\n{}", 'header: found "\\x0a" as its first byte, allowed "{"')
refused("S04-bom", b"\xef\xbb\xbf{}", 'header: found "\\xef" as its first byte, allowed "{"')
refused("S04-utf16", "{}".encode("utf-16-le"), 'header: found "\\x00", allowed a name in quotes')
refused("S04-unclosed", '{"a"', 'header: found its end, allowed ":" after a name')
refused("S04-unclosed-string", '{"a', 'header: found its end, allowed ":" after a name')
refused("S04-unclosed-escape", '{"a\\', 'header: found its end, allowed ":" after a name')
refused("S04-no-colon", '{"a" 1}', 'offset 13: header: found "1", allowed ":" after a name')
refused("S04-no-value", '{"a":}', 'tensor "a": found "", which is not JSON')
refused("S04-unclosed-value", '{"a":{', 'header: found its end, allowed "," or "}"')
refused("S04-trailing-comma", one()[:-1] + ",}", 'header: found "}", allowed a name in quotes', FOUR)
refused("S04-leading-comma", "{," + one()[1:], 'header: found ",", allowed a name in quotes', FOUR)
refused("S04-two-commas", one()[:-1] + ",," + one(name='"b"')[1:], 'header: found ",", allowed a name in quotes', FOUR)
refused("S04-missing-comma", one()[:-1] + one(name='"b"', shape="[0]", offsets="[4,4]")[1:], 'which is not JSON', FOUR)
refused("S04-wrong-bracket", '{"a":1]', 'header: found "]", allowed "," or "}"')
refused("S04-wrong-inner-bracket", '{"a":{"dtype":"U8","shape":[4},"data_offsets":[0,4]}}', 'which is not JSON', FOUR)
refused("S04-unquoted-name", "{a:1}", 'header: found "a", allowed a name in quotes')
refused("S04-single-quotes", "{'a':1}", 'header: found "\'", allowed a name in quotes')
refused("S04-comment", "{/**/}", 'header: found "/", allowed a name in quotes')
refused("S04-nan", one(shape="[NaN]"), "which is not JSON", FOUR)
refused("S04-leading-zero", one(shape="[04]"), "which is not JSON", FOUR)
refused("S04-plus-sign", one(shape="[+4]"), "which is not JSON", FOUR)
refused("S04-control-in-name", one(name='"a\x01b"'), "which is not JSON", FOUR)
refused("S04-nul-byte-in-name", one(name='"a\0b"'), "which is not JSON", FOUR)
refused("S04-newline-in-name", one(name='"a\nb"'), "which is not JSON", FOUR)
refused("S04-text-after-brace", one() + "x", 'header: found "x", allowed only spaces after the closing "}"', FOUR)
refused("S04-nul-padding", one() + "\0\0", 'header: found "\\x00", allowed only spaces', FOUR)
refused("S04-second-object", one() + "{}", 'header: found "{", allowed only spaces', FOUR)
accepted("S04-spaces-behind", one() + " " * 64, 1, FOUR)
accepted("S04-white-space-inside", '{ "a" :\n{\t"dtype" : "U8" , "shape" : [ 4 ] ,\r\n"data_offsets" : [ 0 , 4 ] } }', 1, FOUR)

# ---- S05: depth -----------------------------------------------------------------------------------------------------
refused("S05-depth-5", '{"a":{"b":[[[1]]]}}', "offset 20: header: found brackets nested more than 4 deep, allowed 4")
refused("S05-depth-1000-lists", '{"a":' + "[" * 1000 + "]" * 1000 + "}", "found brackets nested more than 4 deep")
refused("S05-depth-1000-objects", '{"a":' * 1000 + "1" + "}" * 1000, "found brackets nested more than 4 deep")
refused("S05-depth-unclosed", '{"a":' + "[" * 1000, "found brackets nested more than 4 deep")
refused("S05-depth-4-shape", one(shape="[[4]]"), 'tensor "a" shape: found [4], allowed integers of 0 and more', FOUR)
refused("S05-metadata-depth", '{"__metadata__":{"a":[[[0]]]}}', "found brackets nested more than 4 deep")
accepted("S05-brackets-in-a-name", one(name='"[[[[[[[{{{{"'), 1, FOUR)

# ---- S06: duplicates ------------------------------------------------------------------------------------------------
pair = one()[:-1] + "," + one(name="%s", shape="[0]", offsets="[4,4]")[1:]
refused("S06-tensor-twice", pair % '"a"', 'tensor name: found "a" twice, allowed once', FOUR)
refused("S06-tensor-twice-escaped", pair % '"\\u0061"', 'tensor name: found "a" twice, allowed once', FOUR)
refused("S06-metadata-twice", '{"__metadata__":{},"__metadata__":{}}', "offset 27: __metadata__: found twice, allowed once")
refused("S06-metadata-escaped", '{"__metadata\\u005f_":{}}', "tensor name: found __metadata__ written with escapes")
refused("S06-metadata-key-twice", '{"__metadata__":{"k":"1","k":"2"}}', '__metadata__: found the key "k" twice, allowed once')
refused("S06-metadata-key-twice-escaped", '{"__metadata__":{"k":"1","\\u006b":"2"}}', '__metadata__: found the key "k" twice, allowed once')
refused("S06-dtype-twice", '{"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}', 'tensor "a": found the same key twice, allowed once', FOUR)
refused("S06-dtype-twice-escaped", '{"a":{"dtype":"U8","dtyp\\u0065":"U8","shape":[4],"data_offsets":[0,4]}}', 'tensor "a": found the same key twice', FOUR)

# ---- S07: metadata --------------------------------------------------------------------------------------------------
for name, value in (("number", "3"), ("string", '"x"'), ("list", "[]"), ("null", "null"), ("true", "true")):
    shown = value
    refused(f"S07-metadata-{name}", '{"__metadata__":%s}' % value, f'__metadata__: found "{shown}", allowed an object of strings')
for name, value in (("number", "3"), ("object", "{}"), ("list", '["x"]'), ("null", "null"), ("nested", '{"b":"c"}')):
    refused(f"S07-metadata-value-{name}", '{"__metadata__":{"k":%s}}' % value, f'__metadata__ value: found "{value}", allowed a string')
refused("S07-metadata-two-values", '{"__metadata__":{"k":"a" "b"}}', "__metadata__ value: found")
refused("S07-metadata-nothing", '{"__metadata__":}', '__metadata__: found "", allowed an object of strings')
refused("S07-metadata-text-behind", '{"__metadata__":{}x}', 'offset 26: __metadata__: found "x", allowed "," or "}" after __metadata__')
refused("S07-metadata-unclosed", '{"__metadata__":{"k":"v"', '__metadata__: found its end, allowed "," or "}"')
refused("S07-metadata-nul", '{"__metadata__":{"k":"\\u0000"}}', "__metadata__ value: found the character \\u0000, allowed any other")
refused("S07-metadata-not-utf8", b'{"__metadata__":{"k":"\xff"}}', "__metadata__ value: found bytes that are not UTF-8")
refused("S07-metadata-key-4097", '{"__metadata__":{"%s":"v"}}' % ("k" * 4097), "__metadata__ key: found 4097 bytes, allowed at most 4096")
accepted("S07-metadata-empty", '{"__metadata__":{}}', 0)
accepted("S07-metadata-last", one()[:-1] + ',"__metadata__":{"k":"v"}}', 1, FOUR)

# ---- S08 to S11: dtype, shape, offsets ------------------------------------------------------------------------------
for name, value in (("unknown", '"F12"'), ("lower-case", '"f32"'), ("number", "8"), ("null", "null"), ("empty", '""'), ("list", '["U8"]'),
                    ("space", '"U8 "'), ("complex", '"C64"'), ("float8", '"F8_E4M3"')):
    refused(f"S08-dtype-{name}", one(dtype=value), f'tensor "a" dtype: found {value}, allowed F64 F32 F16', FOUR)
refused("S08-dtype-missing", '{"a":{"shape":[4],"data_offsets":[0,4]}}', 'tensor "a" dtype: found none, allowed exactly one', FOUR)
refused("S08-key-unknown", '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"more":1}}', 'tensor "a": found the key "more", allowed dtype, shape and data_offsets', FOUR)
for name, value in (("number", "3"), ("string", '"x"'), ("list", "[4]"), ("null", "null")):
    refused(f"S08-tensor-{name}", '{"a":%s}' % value, f'tensor "a": found {value}, allowed an object with dtype, shape and data_offsets', FOUR)
for name, value in (("number", "4"), ("string", '"4"'), ("null", "null"), ("object", "{}")):
    refused(f"S09-shape-{name}", one(shape=value), f'tensor "a" shape: found {value}, allowed a list of integers', FOUR)
for name, value, shown in (("negative", "-4", "-4"), ("fraction", "1.5", "1.5"), ("exponent", "4e0", "4.0"), ("string", '"4"', '"4"'),
                           ("null", "null", "null"), ("true", "true", "true"), ("minus-2-63", str(-2**63), str(-2**63))):
    refused(f"S09-size-{name}", one(shape=f"[{value}]"), f'tensor "a" shape: found {shown}, allowed integers of 0 and more', FOUR)
refused("S09-size-2-63", one(shape=f"[{2**63}]"), 'tensor "a": found a number that does not fit 64 bits', FOUR)
refused("S09-size-2-64", one(shape=f"[{2**64}]"), 'tensor "a": found a number that does not fit 64 bits', FOUR)
refused("S09-size-1000-digits", one(shape=f"[1{'0' * 1000}]"), 'tensor "a": found a number that does not fit 64 bits', FOUR)
refused("S09-shape-missing", '{"a":{"dtype":"U8","data_offsets":[0,4]}}', 'tensor "a" shape: found none, allowed exactly one', FOUR)
accepted("S09-rank-0", one(shape="[]", offsets="[0,1]"), 1, b"\1")
accepted("S09-rank-8", one(shape="[1,1,1,1,1,1,2,2]"), 1, FOUR)
refused("S09-rank-9", one(shape="[1,1,1,1,1,1,1,2,2]"), 'tensor "a" shape: found 9 sizes, allowed at most 8', FOUR)
refused("S09-rank-1000", one(shape="[" + "1," * 999 + "4]"), 'tensor "a" shape: found 1000 sizes, allowed at most 8', FOUR)
for name, shape in (("2nd", [2**32, 2**32]), ("3rd", [2**31, 2**31, 4]), ("4th", [2**16, 2**16, 2**16, 2**16]), ("to-0", [2**32, 2**32]),
                    ("to-negative", [2**62, 2]), ("to-4", [2**62 + 1, 4]), ("with-0-last", [2**62, 2**62, 0]), ("with-0-first", [0, 2**62, 2**62])):
    text = str(shape).replace(" ", "")
    refused(f"S10-product-wraps-{name}", one(shape=text), f'tensor "a" shape: found {text}, whose bytes pass 2^63, allowed less', FOUR)
refused("S10-bytes-wrap", one(dtype='"F32"', shape=f"[{2**62}]"), 'whose bytes pass 2^63, allowed less', FOUR)
refused("S10-bytes-wrap-to-4", one(dtype='"F32"', shape=f"[{2**62 + 1}]"), 'whose bytes pass 2^63, allowed less', FOUR)
refused("S10-largest-shape", one(shape=f"[{2**63 - 1}]"), 'tensor "a" data_offsets: found 4 bytes, allowed 9223372036854775807, which its shape and dtype take', FOUR)
for name, value in (("one", "[4]"), ("three", "[0,2,4]"), ("none", "[]"), ("float", "[0,4.0]"), ("float-start", "[0.0,4]"), ("string", '["0","4"]'),
                    ("number", "4"), ("null", "null"), ("object", "{}"), ("negative", "[-4,0]"), ("null-inside", "[null,4]")):
    refused(f"S11-offsets-{name}", one(offsets=value), f'tensor "a" data_offsets: found {value}, allowed [start, end], integers of 0 and more', FOUR)
refused("S11-offsets-reversed", one(offsets="[4,0]"), 'tensor "a" data_offsets: found an end of 0, allowed at least its start, 4', FOUR)
refused("S11-offsets-negative-end", one(offsets="[0,-4]"), 'tensor "a" data_offsets: found an end of -4, allowed at least its start, 0', FOUR)
refused("S11-offsets-beyond-by-1", one(shape="[5]", offsets="[0,5]"), 'data_offsets: found an end of 5, allowed at most 4, the bytes that follow the header', FOUR)
refused("S11-offsets-beyond-start", one(offsets="[4,8]"), 'data_offsets: found an end of 8, allowed at most 4', FOUR)
refused("S11-offsets-2-63-less-1", one(offsets=f"[0,{2**63 - 1}]"), 'found an end of 9223372036854775807, allowed at most 4', FOUR)
refused("S11-offsets-2-64", one(offsets=f"[0,{2**64}]"), 'tensor "a": found a number that does not fit 64 bits', FOUR)
refused("S11-offsets-missing", '{"a":{"dtype":"U8","shape":[4]}}', 'tensor "a" data_offsets: found none, allowed exactly one', FOUR)


# ---- S12 to S16: where tensors lie ----------------------------------------------------------------------------------
def two(first, second, shape_first="[2]", shape_second="[2]"):
    return one(shape=shape_first, offsets=first)[:-1] + "," + one(shape=shape_second, offsets=second, name='"b"')[1:]


refused("S12-starts-late", one(shape="[3]", offsets="[1,4]"), 'tensor "a" data_offsets: found a start of 1, allowed 0, where the tensor before it ends (a hole)', FOUR)
refused("S12-hole", two("[0,2]", "[3,5]"), 'tensor "b" data_offsets: found a start of 3, allowed 2, where the tensor before it ends (a hole)', FOUR + b"\5")
refused("S12-overlap", two("[0,2]", "[1,3]"), 'tensor "b" data_offsets: found a start of 1, allowed 2, where the tensor before it ends (an overlap)', FOUR[:3])
refused("S12-same-range", two("[0,4]", "[0,4]", "[4]", "[4]"), 'found a start of 0, allowed 4, where the tensor before it ends (an overlap)', FOUR)
refused("S12-inside", two("[0,4]", "[1,3]", "[4]"), 'tensor "b" data_offsets: found a start of 1, allowed 4, where the tensor before it ends (an overlap)', FOUR)
refused("S12-tail-1", one(), "data: found 1 bytes after the last tensor, allowed 0", FOUR + b"\0")
refused("S12-tail-zip", one(), "data: found 22 bytes after the last tensor, allowed 0", FOUR + b"PK\5\6" + bytes(18))
refused("S12-tail-without-tensors", "{}", "data: found 4 bytes after the last tensor, allowed 0", FOUR)
accepted("S12-header-in-other-order", two("[2,4]", "[0,2]"), 2, FOUR)
refused("S13-size-too-small", one(shape="[5]"), 'tensor "a" data_offsets: found 4 bytes, allowed 5, which its shape and dtype take', FOUR)
refused("S13-size-too-large", one(shape="[3]"), 'tensor "a" data_offsets: found 4 bytes, allowed 3, which its shape and dtype take', FOUR)
refused("S13-wrong-dtype", one(dtype='"F32"', shape="[4]"), 'tensor "a" data_offsets: found 4 bytes, allowed 16, which its shape and dtype take', FOUR)
refused("S13-rank-0-empty", one(shape="[]", offsets="[0,0]"), 'tensor "a" data_offsets: found 0 bytes, allowed 1')
refused("S13-size-0-with-bytes", one(shape="[0]", offsets="[0,4]"), 'tensor "a" data_offsets: found 4 bytes, allowed 0', FOUR)
refused("S14-four-bits", one(dtype='"F4"', shape="[7]"), 'tensor "a" dtype: found "F4", allowed F64', FOUR)
accepted("S15-empty-first", two("[0,0]", "[0,4]", "[0]", "[4]"), 2, FOUR)
accepted("S15-empty-shares-a-start", two("[0,4]", "[0,0]", "[4]", "[0,9]"), 2, FOUR)
accepted("S15-empty-last", two("[0,4]", "[4,4]", "[4]", "[0]"), 2, FOUR)
accepted("S15-only-empty", two("[0,0]", "[0,0]", "[0]", "[3,0]"), 2)
refused("S15-empty-inside", two("[0,4]", "[2,2]", "[4]", "[0]"), 'tensor "b" data_offsets: found a start of 2, allowed 4', FOUR)
accepted("S16-unaligned", one(dtype='"F64"', shape="[1]", offsets="[0,8]", name='"abcd"'), 1, struct.pack("<d", 1.5))

# ---- S17, S18: names ------------------------------------------------------------------------------------------------
refused("S17-nul", one(name='"a\\u0000b"'), "tensor name: found the character \\u0000, allowed any other", FOUR)
refused("S17-nul-in-key", '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x\\u0000":1}}', 'tensor "a": found the character \\u0000, allowed any other', FOUR)
refused("S17-empty", one(name='""'), "tensor name: found an empty one, allowed a name of 1 to 4096 bytes", FOUR)
refused("S17-4097-bytes", one(name='"' + "n" * 4097 + '"'), "tensor name: found 4097 bytes, allowed at most 4096", FOUR)
refused("S17-100000-bytes", one(name='"' + "n" * 100000 + '"'), "tensor name: found 100002 bytes of text, allowed at most 24578", FOUR)
accepted("S17-4096-bytes", one(name='"' + "n" * 4096 + '"'), 1, FOUR)
accepted("S17-quote", one(name='"a\\"b"'), 1, FOUR)
accepted("S17-newline", one(name='"a\\nb"'), 1, FOUR)
accepted("S17-unicode", one(name='"gewicht-\u00e4-\U0001f600"'), 1, FOUR)
refused("S17-escape-sequence-shown", one(name='"\\u001b[31mred"', shape="[5]"), 'tensor "\\x1b[31mred" data_offsets: found 4 bytes', FOUR)
accepted("S18-nothing", "{}", 0)

# ---- S19 and other files that are no safetensors --------------------------------------------------------------------
index = '{"metadata": {"total_size": 8}, "weight_map": {"a": "../other.safetensors"}}'
case("S19-index", index.encode(), "refused", "this looks like the index of a model in several files, which osprey does not read; pass the one file")
looks = [
    ("zip", b"PK\3\4" + bytes(26), "a zip archive, as PyTorch writes its checkpoints; convert it first: osprey convert"),
    ("legacy-checkpoint", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.", "a PyTorch checkpoint of the legacy kind; convert it first"),
    ("pickle", b"\x80\x04\x95" + bytes(20), "a Python pickle"),
    ("gguf", b"GGUF\3\0\0\0" + bytes(16), "a GGUF file, which osprey does not read"),
    ("onnx", b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "an ONNX file, which osprey does not read"),
    ("tflite", b"\x1c\0\0\0TFL3" + bytes(16), "a TensorFlow Lite file"),
    ("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(16), "an HDF5 file"),
    ("gzip", b"\x1f\x8b\x08\0" + bytes(16), "a gzip file; unpack it first"),
    ("tar", b"data" + bytes(253) + b"ustar\x0000" + bytes(240), "a tar archive; unpack it first"),
    ("html", b"<!DOCTYPE html><title>404</title>", "a web page; was the download refused?"),
    ("lfs-pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 8\n", "a Git LFS pointer, not the file itself; fetch that first: git lfs pull"),
    ("png", b"\x89PNG\r\n\x1a\n" + bytes(16), "a PNG picture"),
    ("json", b'{"a": 1, "b": [2, 3]}', "a JSON text"),
]
for name, data, words in looks:
    case(f"C02-{name}", data, "refused", f"; this looks like {words}")


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for old in os.listdir(FOLDER):
        os.remove(os.path.join(FOLDER, old))
    with open(os.path.join(HERE, "safetensors.tsv"), "w", encoding="utf-8", newline="\n") as table:
        table.write("# file\tstatus\twords; written by make_safetensors.py\n")
        for name, data, status, words in cases:
            with open(os.path.join(FOLDER, name), "wb") as out:
                out.write(data)
            table.write(f"{name}\t{status}\t{words}\n")
    print(len(cases), "files,", sum(len(c[1]) for c in cases), "bytes")


main()
