#!/usr/bin/env python3
"""Writes tests/hostile/images/* and images.tsv: pictures that must be refused, each with words of the sentence it must get, and
odd but legal ones, each with its size and the SHA-256 of its RGB bytes as Pillow decodes them. The I numbers are those of
hostile-input.md.  Needs Pillow and numpy; only to be run again when a picture is added.   usage: make_images.py"""
import hashlib, io, os, struct, zlib
import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "images")
rows = []


def write(name, data):
    with open(os.path.join(FOLDER, name), "wb") as f:
        f.write(data)


def bad(name, data, fragment, status="bad_image"):
    write(name, data)
    rows.append((name, status, fragment))


def good(name, data, pixels=None):
    """pixels: what to expect where that is not simply what Pillow says."""
    write(name, data)
    if pixels is None:
        pixels = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    rgb = np.ascontiguousarray(pixels, np.uint8)
    rows.append((name, "ok", "%dx%d %s" % (rgb.shape[1], rgb.shape[0], hashlib.sha256(rgb.tobytes()).hexdigest())))


def scene(w, h, seed=1):
    """Smooth ground with noise on it: every coefficient and every filter gets something to do."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    g = np.stack([127 + 100 * np.sin(x / 5 + seed), 127 + 100 * np.cos(y / 4), (x * 7 + y * 3) % 256], -1)
    noise = np.random.RandomState(seed).randint(-20, 20, g.shape)
    return np.clip(g + noise, 0, 255).astype(np.uint8)


# ---- JPEG ---------------------------------------------------------------------------------------------------

def jpeg(w=24, h=20, mode="RGB", seed=1, **options):
    out = io.BytesIO()
    options.setdefault("quality", 90)
    Image.fromarray(scene(w, h, seed)).convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


def segments(data):
    """[(marker, payload)] up to SOS, and everything from SOS's payload end on."""
    at, out = 2, []
    while True:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2:at + 4])[0]
        out.append([marker, data[at + 4:at + 2 + length]])
        at += 2 + length
        if marker == 0xDA:
            return out, data[at:]


def join(parts, rest):
    return b"\xff\xd8" + b"".join(bytes([0xFF, m]) + struct.pack(">H", len(p) + 2) + p for m, p in parts) + rest


def edited(data, marker, change):
    """Every payload of that marker through change(bytearray)."""
    parts, rest = segments(data)
    for part in parts:
        if part[0] == marker:
            payload = bytearray(part[1])
            part[1] = bytes(change(payload) or payload)
    return join(parts, rest)


def without(data, *markers):
    parts, rest = segments(data)
    return join([p for p in parts if p[0] not in markers], rest)


def renamed(data, old, new):
    parts, rest = segments(data)
    return join([[new if m == old else m, p] for m, p in parts], rest)


def set_bytes(at, value):
    def change(payload):
        payload[at:at + len(value)] = value
    return change


def with_app1(data, payload):
    parts, rest = segments(data)
    return join(parts[:1] + [[0xE1, payload]] + parts[1:], rest)


def tiff(entries, order="<", next_ifd=0, first=8):
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IH", first, len(entries)) + b"".join(
        struct.pack(order + "HHI", tag, kind, count) + struct.pack(order + "HH", value, 0) for tag, kind, count, value in entries
    ) + struct.pack(order + "I", next_ifd)


def orientation(value, order="<"):
    return tiff([(0x0112, 3, 1, value)], order)


def jpegs():
    plain, grey, progressive = jpeg(), jpeg(mode="L"), jpeg(progressive=True)
    truncated = "truncated: the file ends before the end marker"
    bad("i01_soi_only.jpg", b"\xff\xd8", truncated)
    bad("i01_soi_and_half_a_marker.jpg", b"\xff\xd8\xff", truncated)
    bad("i02_truncated_in_header.jpg", plain[:100], truncated)
    bad("i02_truncated_in_data.jpg", plain[:len(plain) * 2 // 3], truncated)
    bad("i02_truncated_progressive.jpg", progressive[:len(progressive) * 2 // 3], truncated)
    bad("i03_no_eoi.jpg", plain[:-2], truncated)
    good("i03_bytes_after_eoi.jpg", plain + b"trailing bytes, as some phones append")
    bad("i04_no_quantization_table.jpg", without(plain, 0xDB), "Quantization table 0x00 was not defined")
    bad("i04_undefined_huffman_table.jpg", edited(plain, 0xDA, set_bytes(2, b"\x33")), "Huffman table 0x03 was not defined")
    bad("i05_dht_oversubscribed.jpg", edited(plain, 0xC4, set_bytes(1, b"\x07")), "Bogus Huffman table definition")
    bad("i05_dht_counts_over_256.jpg", edited(plain, 0xC4, set_bytes(9, b"\xff\xff\xff")), "Bogus Huffman table definition")
    for name, at, what in (("height", 1, "0 rows"), ("width", 3, "0 rows, columns")):
        bad("i06_zero_%s.jpg" % name, edited(plain, 0xC0, set_bytes(at, b"\0\0")), what)
    bad("i06_65535_square.jpg", edited(plain, 0xC0, set_bytes(1, b"\xff\xff\xff\xff")), "65500 pixels")
    bad("i06_65500_square.jpg", edited(plain, 0xC0, set_bytes(1, struct.pack(">HH", 65500, 65500))),
        "size is 65500 x 65500 = 4290250000 pixels, allowed are at most 178956970")
    bad("i06_13000_square_in_a_few_bytes.jpg", edited(plain, 0xC0, set_bytes(1, struct.pack(">HH", 13000, 13000))), "bytes cannot hold")

    def components(n):
        return lambda payload: payload[:5] + bytes([n]) + b"".join(bytes([i + 1, 0x11, 0]) for i in range(n))

    def scan_of(n):
        return lambda payload: bytes([n]) + b"".join(bytes([i + 1, 0]) for i in range(n)) + payload[-3:]
    bad("i07_two_components.jpg", edited(edited(plain, 0xC0, components(2)), 0xDA, scan_of(2)),
        "2 colour components, allowed are 1, 3 and 4")
    bad("i07_five_components.jpg", edited(edited(plain, 0xC0, components(5)), 0xDA, scan_of(4)),
        "5 colour components, allowed are 1, 3 and 4")
    bad("i07_255_components.jpg", edited(plain, 0xC0, components(255)), "Too many color components")
    bad("i07_sampling_0.jpg", edited(plain, 0xC0, set_bytes(7, b"\x00")), "Bogus sampling factors")
    bad("i07_sampling_5.jpg", edited(plain, 0xC0, set_bytes(7, b"\x51")), "Bogus sampling factors")
    parts, rest = segments(plain)
    sof = [p for p in parts if p[0] == 0xC0]
    bad("i08_two_frames.jpg", join(sof + parts, rest), "two SOF markers")
    bad("i08_scan_before_frame.jpg", without(plain, 0xC0), "SOS before SOF")
    bad("i09_1200_scans.jpg", scan_bomb(1200), "more than 1000 scans")
    for name, tail in (("start_past_end", b"\x20\x10\x00"), ("end_past_63", b"\x00\x40\x00"), ("bits", b"\x00\x00\x0f")):
        bad("i10_progressive_%s.jpg" % name, edited(progressive, 0xDA, lambda p: p[:-3] + tail), "Invalid progressive parameters")
    restarts = jpeg(64, 16, restart_marker_blocks=1)
    bad("i11_restart_marker_wrong.jpg", restarts.replace(b"\xff\xd1", b"\xff\xd5", 1), "Corrupt JPEG data")
    bad("i11_restart_marker_missing.jpg", restarts.replace(b"\xff\xd1", b"", 1), "Corrupt JPEG data")
    good("i11_restart_markers.jpg", restarts)
    bad("i12_arithmetic.jpg", renamed(plain, 0xC0, 0xC9), "arithmetic coding")
    bad("i12_lossless.jpg", renamed(plain, 0xC0, 0xC3), "coding process FF C3")
    bad("i12_hierarchical.jpg", renamed(plain, 0xC0, 0xC5), "coding process FF C5")
    bad("i12_12_bit.jpg", edited(plain, 0xC0, set_bytes(0, b"\x0c")), "12 bits a sample, allowed are 8")
    cmyk = cmyk_jpeg()
    good("i13_cmyk.jpg", cmyk)
    good("i13_cmyk_no_adobe_marker.jpg", without(cmyk, 0xEE))
    good("i13_ycck.jpg", edited(cmyk, 0xEE, set_bytes(11, b"\x02")))
    good("i13_rgb_adobe.jpg", with_adobe(jpeg(subsampling=0), 0))
    good("i14_grey.jpg", grey)
    good("i14_grey_progressive.jpg", jpeg(mode="L", progressive=True))
    for w, h in ((1, 1), (1, 2), (2, 1), (17, 17), (33, 2), (1, 300), (300, 1)):
        good("i15_%dx%d.jpg" % (w, h), jpeg(w, h))
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        good("plain_%s.jpg" % name, jpeg(37, 29, subsampling=sampling))
        good("progressive_%s.jpg" % name, jpeg(37, 29, subsampling=sampling, progressive=True))
    good("plain_440.jpg", edited(jpeg(16, 16, subsampling=1), 0xC0, set_bytes(7, b"\x12")))
    exif_jpegs(plain)
    good("i17_segment_length_0.jpg", plain[:2] + b"\xff\xe5\0\0" + plain[2:])
    good("i17_segment_length_1.jpg", plain[:2] + b"\xff\xe5\0\1" + plain[2:])
    bad("i17_segment_past_the_end.jpg", plain[:2] + b"\xff\xe5\xff\xff" + plain[2:], truncated)
    bad("i18_height_in_dnl.jpg", edited(plain, 0xC0, set_bytes(1, b"\0\0"))[:-2] + b"\xff\xdc\0\4\0\x14\xff\xd9", "0 rows")
    good("i19_mjpeg_no_huffman_tables.jpg", without(jpeg(), 0xC4))
    good("padding_between_segments.jpg", plain[:20] + b"\0\0\0" + plain[20:])


def exif_jpegs(plain):
    wide = jpeg(21, 10)
    for value in range(0, 10):
        good("i16_exif_%d.jpg" % value, with_app1(wide, b"Exif\0\0" + orientation(value, "<>"[value % 2])))
    as_stored = np.asarray(Image.open(io.BytesIO(wide)).convert("RGB"))
    for name, block in (("truncated", orientation(6)[:14]), ("loop", tiff([], next_ifd=8)), ("offset_outside", tiff([], first=0x7FFFFFFF)),
                        ("many_components", tiff([(0x0112, 3, 0xFFFFFFFF, 6)])), ("empty", b""), ("not_tiff", b"garbage!" * 4)):
        good("i16_exif_broken_%s.jpg" % name, with_app1(wide, b"Exif\0\0" + block), as_stored)
    good("i16_xmp_not_utf8.jpg", with_app1(wide, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta \xff\xfe\x80 tiff:Orientation='6'"), as_stored)


def scan_bomb(scans):
    """A grey 8x8 picture, then the same AC scan over and over, each legal: an end-of-band run and nothing else."""
    data = jpeg(8, 8, "L", progressive=True)
    dht = b"\xff\xc4" + struct.pack(">H", 20) + b"\x10" + b"\1" + bytes(15) + b"\0"
    scan = b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\1\0" + b"\1\x3f\0" + b"\x7f"
    parts, rest = segments(data)
    end_of_first = rest.index(b"\xff\xc4") if b"\xff\xc4" in rest else rest.index(b"\xff\xda")
    return join(parts, rest[:end_of_first]) + dht + scan * scans + b"\xff\xd9"


def cmyk_jpeg():
    a = scene(24, 20, 5)
    four = np.dstack([a, scene(24, 20, 9)[:, :, :1]])
    out = io.BytesIO()
    Image.fromarray(four, "CMYK").save(out, "JPEG", quality=90)
    return out.getvalue()


def with_adobe(data, transform):
    parts, rest = segments(data)
    return join([[0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform])]] + [p for p in parts if p[0] != 0xE0], rest)


# ---- PNG ----------------------------------------------------------------------------------------------------

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind, data=b"", crc=None, length=None):
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(
        ">I", zlib.crc32(kind + data) if crc is None else crc)


def ihdr(w, h, depth, kind, compression=0, filtering=0, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, compression, filtering, interlace))


def pack_rows(samples, depth):
    """samples (h, w, channels) to filter-0 rows; every third row uses filter 1, to have filters too."""
    out = b""
    for i, row in enumerate(samples):
        flat = row.reshape(-1)
        if depth == 16:
            data = flat.astype(">u2").tobytes()
        elif depth == 8:
            data = flat.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), "0%db" % depth) for v in flat)
            bits += "0" * (-len(bits) % 8)
            data = bytes(int(bits[k:k + 8], 2) for k in range(0, len(bits), 8))
        step = max(1, depth * row.shape[-1] // 8)
        if i % 3 == 2:
            out += b"\1" + bytes((data[k] - (data[k - step] if k >= step else 0)) & 255 for k in range(len(data)))
        else:
            out += b"\0" + data
    return out


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def raw_png(samples, depth, kind, interlace=0):
    if not interlace:
        return pack_rows(samples, depth)
    return b"".join(pack_rows(samples[y::dy, x::dx], depth) for x, y, dx, dy in ADAM7 if samples[y::dy, x::dx].size)


def png(samples, depth, kind, before=b"", after=b"", interlace=0, idat=None, end=chunk(b"IEND")):
    h, w = samples.shape[:2]
    data = chunk(b"IDAT", zlib.compress(raw_png(samples, depth, kind, interlace), 9)) if idat is None else idat
    return SIGNATURE + ihdr(w, h, depth, kind, interlace=interlace) + before + data + after + end


def samples(w, h, depth, kind, colours=None):
    top = (colours or (1 << depth)) if kind == 3 else (1 << depth)
    return np.random.RandomState(depth * 10 + kind).randint(0, top, (h, w, CHANNELS[kind]))


def palette(n):
    return chunk(b"PLTE", np.random.RandomState(n).randint(0, 256, 3 * n).astype(np.uint8).tobytes())


def png_kinds():
    for kind, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for depth in depths:
            for interlace in (0, 1):
                s = samples(13, 11, depth, kind)
                colours = palette(1 << depth) if kind == 3 else b""
                name = "i29_type%d_%dbit%s.png" % (kind, depth, "_adam7" if interlace else "")
                # 16-bit grey: the high byte, where Pillow clips at 255
                pixels = np.repeat(s >> 8, 3, -1) if kind == 0 and depth == 16 else None
                good(name, png(s, depth, kind, colours, interlace=interlace), pixels)
    for w, h in ((1, 1), (2, 1), (1, 3), (5, 5), (9, 2)):
        good("i29_adam7_%dx%d.png" % (w, h), png(samples(w, h, 8, 2), 8, 2, interlace=1))
    good("i25_trns_palette.png", png(samples(13, 11, 4, 3), 4, 3, palette(16) + chunk(b"tRNS", bytes(range(0, 160, 10)))))
    good("i25_trns_grey.png", png(samples(13, 11, 8, 0), 8, 0, chunk(b"tRNS", b"\0\x10")))
    good("i25_trns_rgb.png", png(samples(13, 11, 8, 2), 8, 2, chunk(b"tRNS", b"\0\1\0\2\0\3")))


def pngs():
    s = samples(13, 11, 8, 2)
    plain = png(s, 8, 2)
    stream = zlib.compress(raw_png(s, 8, 2), 9)
    png_kinds()
    bad("i20_signature_cut.png", plain[:7], "data of an unknown kind")
    bad("i20_signature_text_mode.png", plain.replace(b"\r\n", b"\n", 1), "data of an unknown kind")
    bad("i20_signature_only.png", plain[:8], "truncated: the file ends inside its header")
    bad("i21_ihdr_not_first.png", SIGNATURE + chunk(b"gAMA", b"\0\0\0\1") + plain[8:], "first chunk is not an IHDR")
    bad("i21_ihdr_wrong_length.png", SIGNATURE + chunk(b"IHDR", bytes(14)) + plain[33:], "first chunk is not an IHDR of 13 bytes")
    for name, w, h, words in (("zero_width", 0, 11, "size is 0 x 11 pixels"), ("zero_height", 13, 0, "size is 13 x 0 pixels"),
                              ("width_2_31", 1 << 31, 1, "size is 2147483648 x 1 pixels"),
                              ("width_max", 0xFFFFFFFF, 0xFFFFFFFF, "allowed is 1 or more"),
                              ("200000_square", 200000, 200000, "= 40000000000 pixels, allowed are at most 178956970"),
                              ("13000_square_in_a_few_bytes", 13000, 13000, "bytes cannot hold")):
        bad("i21_%s.png" % name, SIGNATURE + ihdr(w, h, 8, 2) + plain[33:], words)
    bad("i22_depth_3.png", SIGNATURE + ihdr(13, 11, 3, 0) + plain[33:], "Invalid IHDR data")
    bad("i22_depth_0.png", SIGNATURE + ihdr(13, 11, 0, 0) + plain[33:], "0 bits of colour type 0")
    bad("i22_rgb_4_bit.png", SIGNATURE + ihdr(13, 11, 4, 2) + plain[33:], "Invalid IHDR data")
    bad("i22_type_5.png", SIGNATURE + ihdr(13, 11, 8, 5) + plain[33:], "8 bits of colour type 5")
    bad("i22_type_255.png", SIGNATURE + ihdr(13, 11, 8, 255) + plain[33:], "8 bits of colour type 255")
    for name, fields in (("compression_1", (1, 0, 0)), ("filter_1", (0, 1, 0)), ("interlace_2", (0, 0, 2))):
        bad("i22_%s.png" % name, SIGNATURE + ihdr(13, 11, 8, 2, *fields) + plain[33:], "Invalid IHDR data")
    bad("i23_crc_ihdr.png", plain[:29] + b"\0\0\0\0" + plain[33:], "CRC error")
    bad("i23_crc_plte.png", png(samples(13, 11, 4, 3), 4, 3, chunk(b"PLTE", bytes(48), crc=1)), "CRC error")
    bad("i23_crc_ancillary.png", png(s, 8, 2, chunk(b"tIME", bytes(7), crc=1)), "CRC error")
    bad("i23_crc_unknown_ancillary.png", png(s, 8, 2, chunk(b"osPr", b"x", crc=1)), "CRC error")
    bad("i23_crc_idat.png", png(s, 8, 2, idat=chunk(b"IDAT", stream, crc=1)), "CRC error")
    bad("i23_crc_iend.png", png(s, 8, 2, end=chunk(b"IEND", crc=1)), "CRC error")
    for name, length in (("2_31", 1 << 31), ("max", 0xFFFFFFFF)):
        bad("i24_chunk_length_%s.png" % name, png(s, 8, 2, chunk(b"tEXt", b"x", length=length)), "PNG unsigned integer out of range")
    bad("i24_chunk_past_the_end.png", png(s, 8, 2, chunk(b"tEXt", b"x", length=1 << 20)), "truncated")
    bad("i25_no_palette.png", png(samples(13, 11, 4, 3), 4, 3), "Missing PLTE")
    bad("i25_palette_too_long.png", png(samples(13, 11, 8, 3), 8, 3, chunk(b"PLTE", bytes(257 * 3))), "PLTE")
    bad("i25_palette_not_threes.png", png(samples(13, 11, 8, 3), 8, 3, chunk(b"PLTE", bytes(100))), "PLTE")
    good("i25_index_outside.png", png(samples(13, 11, 4, 3, 10), 4, 3, palette(4)))
    bad("i26_zlib_header.png", png(s, 8, 2, idat=chunk(b"IDAT", b"\x79\x9c" + stream[2:])), "incorrect header check")
    bad("i26_zlib_window.png", png(s, 8, 2, idat=chunk(b"IDAT", b"\x88\x1c" + stream[2:])), "invalid window size")
    bad("i26_adler.png", png(s, 8, 2, idat=chunk(b"IDAT", stream[:-1] + bytes([stream[-1] ^ 1]))), "incorrect data check")
    bad("i26_idat_short.png", png(s, 8, 2, idat=chunk(b"IDAT", stream[:len(stream) // 2])), "Not enough image data")
    bad("i26_idat_missing.png", png(s, 8, 2, idat=b""), "IEND: out of place")
    bad("i26_rows_missing.png", png(s, 8, 2, idat=chunk(b"IDAT", zlib.compress(raw_png(s[:5], 8, 2)))), "Not enough image data")
    good("i26_idat_in_1_byte_chunks.png", png(s, 8, 2, idat=b"".join(chunk(b"IDAT", bytes([b])) for b in stream)))
    good("i26_idat_long.png", png(s, 8, 2, idat=chunk(b"IDAT", zlib.compress(raw_png(s, 8, 2) + bytes(100)))), s)
    bad("i27_filter_5.png", png(s, 8, 2, idat=chunk(b"IDAT", zlib.compress(b"\5" + raw_png(s, 8, 2)[1:]))), "bad adaptive filter value")
    good("i28_ztxt_bomb.png", png(s, 8, 2, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5 << 20), 9))), s)
    good("i28_iccp_bomb.png", png(s, 8, 2, chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(16 << 20), 9))), s)
    good("i28_itxt_bomb.png", png(s, 8, 2, chunk(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(bytes(5 << 20), 9))), s)
    bad("i30_no_iend.png", png(s, 8, 2, end=b""), "truncated")
    good("i30_data_after_iend.png", plain + b"trailing")
    good("i31_apng.png", png(s, 8, 2, chunk(b"acTL", struct.pack(">II", 1, 0))
                             + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 13, 11, 0, 0, 1, 10, 0, 0))), s)
    bad("i31_cgbi.png", SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\6") + plain[8:], "first chunk is not an IHDR")
    bad("i32_unknown_critical_chunk.png", png(s, 8, 2, chunk(b"OSPR", b"x")), "unhandled critical chunk")
    for value in (1, 3, 6, 8):
        good("i16_exif_%d.png" % value, png(s, 8, 2, chunk(b"eXIf", orientation(value))))
    good("i16_exif_after_data.png", png(s, 8, 2, after=chunk(b"eXIf", orientation(6, ">"))))
    good("i16_exif_broken.png", png(s, 8, 2, chunk(b"eXIf", orientation(6)[:13])), s)


# ---- Neither ------------------------------------------------------------------------------------------------

def others():
    good("i33_png_named_jpg.jpg", png(samples(7, 5, 8, 2), 8, 2))
    good("i33_jpeg_named_png.png", jpeg(7, 5))
    for name, data, words in (
            ("webp", b"RIFF\x24\0\0\0WEBPVP8 " + bytes(24), "a WebP picture"), ("heic", b"\0\0\0\x18ftypheic" + bytes(12), "a HEIC picture"),
            ("avif", b"\0\0\0\x1cftypavif" + bytes(12), "an AVIF picture"), ("mp4", b"\0\0\0\x20ftypisom" + bytes(12), "a video"),
            ("gif", b"GIF89a\1\0\1\0\0\0\0;", "a GIF picture"), ("bmp", b"BM" + bytes(30), "a BMP picture"),
            ("tiff", b"II*\0\x08\0\0\0", "a TIFF picture"), ("zip", b"PK\3\4" + bytes(26), "a zip archive"),
            ("pdf", b"%PDF-1.7\n", "a PDF document"), ("gzip", b"\x1f\x8b\x08" + bytes(10), "a gzip file"),
            ("html", b"<!DOCTYPE html><title>404</title>", "a web page"), ("xml", b"<?xml version='1.0'?><a/>", "an XML text"),
            ("text", "404: not found\n".encode(), "looks like text"), ("zeros", bytes(100), "data of an unknown kind"),
            ("appledouble", b"\0\5\x16\7\0\2\0\0" + bytes(30), "AppleDouble")):
        bad("i33_%s.jpg" % name, data, words)
    bad("i34_empty.jpg", b"", "an empty file")
    bad("i34_empty.png", b"", "an empty file")
    bad("i34_one_byte.jpg", b"\xff", "data of an unknown kind")


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for old in os.listdir(FOLDER):
        os.remove(os.path.join(FOLDER, old))
    jpegs()
    pngs()
    others()
    with open(os.path.join(HERE, "images.tsv"), "w") as f:
        f.write("# file\tstatus\tok: WxH and SHA-256 of the RGB bytes; else: words of the sentence. Made by make_images.py\n")
        for row in sorted(rows):
            f.write("\t".join(row) + "\n")
    print(len(rows), "pictures,", sum(os.path.getsize(os.path.join(FOLDER, r[0])) for r in rows), "bytes")


main()
