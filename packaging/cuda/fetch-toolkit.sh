#!/bin/sh
# Fetches what building with `--features cuda` needs from NVIDIA's Python packages, without a driver and without root:
#
#     packaging/cuda/fetch-toolkit.sh DIR        # about 700 MB
#     . DIR/environment
#     cargo build --release --locked --features cuda
#
# Needs python3 with pip, unzip and gcc. On a machine with NVIDIA's own toolkit none of this is needed.
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
version='==13.2.*'
python3 -m pip download --quiet --no-deps --dest "$folder/wheels" \
    "nvidia-cuda-nvcc$version" "nvidia-cuda-crt$version" "nvidia-nvvm$version" "nvidia-cuda-runtime$version" \
    "nvidia-cuda-nvrtc$version" "nvidia-cuda-cccl$version" nvidia-curand nvidia-cublas
for wheel in "$folder"/wheels/*.whl; do
    unzip -qo "$wheel" -d "$folder"
done
home=$folder/nvidia/cu13
chmod +x "$home"/bin/* "$home"/nvvm/bin/*
for library in "$home"/lib/*.so.*; do
    ln -sf "$(basename "$library")" "${library%%.so.*}.so"
done
ln -sfn lib "$home/lib64"

# The driver's library comes with the driver; to link, one of the same name with the same functions will do.
python3 - "$home/include/cuda.h" >"$folder/driver.c" <<'END'
import re
import sys

names = set(re.findall(r"\b(cu[A-Z]\w*)\s*\(", open(sys.argv[1]).read()))
endings = ("", "_v2", "_v3", "_ptsz", "_ptds", "_v2_ptsz", "_v2_ptds")
for name in sorted({name + ending for name in names for ending in endings}):
    print(f"int {name}(void) {{ return 100; }}")  # no device
END
mkdir -p "$folder/driver"
gcc -w -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$folder/driver/libcuda.so" "$folder/driver.c"
ln -sf libcuda.so "$folder/driver/libcuda.so.1"

cat >"$folder/environment" <<END
export CUDA_HOME=$home CUDA_PATH=$home PATH=$home/bin:\$PATH
export CUDA_COMPUTE_CAP=\${CUDA_COMPUTE_CAP:-80}
export LIBRARY_PATH=$folder/driver:$home/lib\${LIBRARY_PATH:+:\$LIBRARY_PATH}
END
echo "run: . $folder/environment"
