"""Makes the seeds that the project has no small files of: image sets, audits. Needs nothing but Python.

    python3 fuzz/make_seeds.py FOLDER [AUDIT]

Writes FOLDER/npz, FOLDER/idx and FOLDER/cifar, and FOLDER/audit from AUDIT, which "poisdetc audit --json" wrote: with pictures of two
by two pixels, since most of the file is pixels.
"""
import base64
import io
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path


def npy(kind, shape, data):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def npz(arrays, how):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", how) as archive:
        for name, data in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data, how)
    return packed.getvalue()


def numbers(count):
    return bytes(i * 37 % 256 for i in range(count))


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def png(colour):
    """Two by two pixels, gray (0) or coloured (2), as PNG."""
    row = b"\0" + numbers(2 if colour == 0 else 6)
    chunks = (b"IHDR", struct.pack(">2I5B", 2, 2, 8, colour, 0, 0, 0)), (b"IDAT", zlib.compress(row * 2)), (b"IEND", b"")
    packed = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def small(value):
    """The same with every picture replaced by one of two by two pixels."""
    start = "data:image/png;base64,"
    if isinstance(value, str) and value.startswith(start):
        colour = base64.b64decode(value[len(start):])[25]
        return start + base64.b64encode(png(0 if colour == 0 else 2)).decode()
    if isinstance(value, dict):
        return {key: small(item) for key, item in value.items()}
    return [small(item) for item in value] if isinstance(value, list) else value


def repair(model):
    """As "poisdetc repair --json" writes it, with what a report reads."""
    mark = {"label": 1, "stamp": "mark", "share": 1.0}
    before = {"images": 40, "accuracy": 0.95, "by_label": [0.9, None, 1.0], "asr": [mark, mark | {"stamp": "block"}]}
    after = before | {"accuracy": 0.94, "asr": [mark | {"share": 0.0}]}
    again = {"verdict": "no-evidence", "summary": "No evidence was found.", "seed": 7, "stopped": False, "searched": True}
    return {
        "schema": 2, "method": "unlearning", "meets_aim": True, "aim": {"accuracy_loss": 0.02, "asr": 0.05},
        "before": before, "after": after, "rescan": again, "suspect": {"path": "m.onnx", "sha256": model["sha256"]},
        "repaired": {"path": "r.onnx", "sha256": "00"}, "limits": ["The attacker's own trigger is unknown"],
    }


def main():
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        audit = small(json.loads(Path(sys.argv[2]).read_text()))
        few = audit | {"labels": audit["labels"][:2]}
        both = b"\0".join(json.dumps(one).encode() for one in (few, repair(audit["model"])))
        write(folder / "audit", {
            "all.json": json.dumps(audit).encode(),
            "few.json": json.dumps(few).encode(),
            "repaired.json": both,
        })
    labels = npy("<i8", (3,), struct.pack("<3q", 0, 1, 2))
    gray = struct.pack("<60f", *(v / 255 for v in numbers(60)))
    rows = npy("|u1", (3, 3), bytes([1, 0, 0, 0, 1, 0, 0, 0, 1]))
    write(folder / "npz", {
        "bytes.npz": npz({"x": npy("|u1", (3, 4, 5, 3), numbers(180)), "y": labels}, zipfile.ZIP_STORED),
        "packed.npz": npz({"x_test": npy("|u1", (3, 3, 4, 5), numbers(180)), "y_test": labels}, zipfile.ZIP_DEFLATED),
        "fractions.npz": npz({"images": npy("<f4", (3, 4, 5), gray), "labels": labels}, zipfile.ZIP_STORED),
        "one_hot.npz": npz({"arr_0": npy("|u1", (3, 4, 5), numbers(60)), "arr_1": rows}, zipfile.ZIP_STORED),
    })
    write(folder / "idx", {"gray": b"\x00\x00\x08\x03" + struct.pack(">3I", 3, 4, 5) + numbers(60)})
    one = lambda label: b"".join(bytes([i % 3] * label) + numbers(3072) for i in range(3))
    write(folder / "cifar", {"ten.bin": one(1), "hundred.bin": one(2)})


if __name__ == "__main__":
    main()
