"""Says what the program's bytes are: its sections, and code and data by the crates they come from.

    python3 packaging/size.py target/release/poisdetc

Wants size and nm (binutils). Code that the compiler makes anew for each use of a generic function counts for the crate that wrote the
function, so much of what stands under "standard library" was made for the others.
"""
import re
import subprocess
import sys
from collections import Counter

GROUPS = {
    "standard library": "core alloc std hashbrown compiler_builtins",
    "the program": "poisdetc",
    "tensors (candle, gemm, rayon)": "candle_core candle_nn candle_onnx gemm gemm_common gemm_f32 gemm_f64 gemm_f16 gemm_c32 gemm_c64 "
    "rayon rayon_core crossbeam_deque crossbeam_epoch half safetensors pulp num_traits float8 ug tokenizers prost",
    "window (egui, winit)": "egui epaint eframe winit egui_winit egui_plot egui_extras emath ecolor vello_cpu vello_common fearless_simd "
    "tiny_skia tiny_skia_path skrifa harfrust read_fonts font_types wayland_client wayland_protocols wayland_backend "
    "smithay_client_toolkit x11_dl x11rb x11rb_protocol xkbcommon_dl egui_wgpu wgpu wgpu_core wgpu_hal naga egui_glow glow glutin "
    "softbuffer arboard ron peniko kurbo rfd notify_rust sctk_adwaita calloop accesskit_winit",
    "accessibility and desktop (AccessKit, D-Bus)": "accesskit accesskit_consumer accesskit_unix accesskit_atspi_common atspi atspi_common "
    "atspi_proxies zbus zbus_names zvariant async_io async_executor async_task async_lock futures_lite",
    "files (images, HDF5, zip, JSON)": "image image_webp zune_jpeg zune_core png zip flate2 miniz_oxide hdf5_pure serde_json serde serde_core "
    "csv csv_core fdeflate weezl tiff qoi ravif exr pdf_writer krilla zeekstd zlib_rs ttf_parser subsetter quick_xml",
    "command line (clap)": "clap clap_builder clap_complete clap_mangen anstream anstyle regex_automata regex_syntax aho_corasick indicatif",
}
CRATE = re.compile(r"^[<&*(\[]*(?:mut |dyn |const )*([A-Za-z_][A-Za-z0-9_]*)(?:\[[0-9a-f]+\])?::")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    program = sys.argv[1]
    group_of = {crate: group for group, crates in GROUPS.items() for crate in crates.split()}
    groups, others = Counter(), Counter()
    for line in run("nm", "--demangle", "--print-size", "--defined-only", program).splitlines():
        address, _, rest = line.partition(" ")
        size, _, rest = rest.partition(" ")
        if len(size) != len(address):
            continue
        found = CRATE.match(rest[2:])
        crate = found.group(1) if found else "?"
        group = group_of.get(crate, "others")
        groups[group] += int(size, 16)
        if group == "others":
            others[crate] += int(size, 16)
    print("| section | bytes |\n| --- | --- |")
    sections = (line.split() for line in run("size", "-A", program).splitlines()[2:])
    sizes = [(parts[0], int(parts[1])) for parts in sections if len(parts) >= 2]
    for name, size in sorted(sizes, key=lambda one: -one[1])[:7]:
        print(f"| {name} | {size:,} |")
    print("\n| code and data of | bytes |\n| --- | --- |")
    for group, size in groups.most_common():
        print(f"| {group} | {size:,} |")
    print("\nlargest of the others:", ", ".join(f"{crate} {size:,}" for crate, size in others.most_common(12)))


main()
