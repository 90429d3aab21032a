#!/usr/bin/env bash
# Fuzzes every reader for so many seconds each: fuzz/run.sh SECONDS [TARGET...]
#
# Needs cargo-fuzz and a C++ compiler; no nightly compiler, since the program has no unsafe code of its own outside its
# kernels and so runs without the address sanitizer. What fails lies in fuzz/artifacts afterwards: mend it, and keep it as a test.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(onnx hdf5 npz idx cifar audit)

corpus=fuzz/corpus
audit=$(mktemp)
cargo run --release --locked --quiet -- audit assets/sample/signs-suspect.onnx assets/sample/signs.npz --quiet --json "$audit" ||
    [ $? -eq 20 ] # infected, as the sample is
python3 fuzz/make_seeds.py "$corpus" "$audit"
rm "$audit"
mkdir -p "$corpus"/{onnx,hdf5}
find tests/fixtures/breadth -name '*.onnx' -size -40k -exec cp -t "$corpus/onnx" {} +
find tests/fixtures/breadth tests/data/keras \( -name '*.h5' -o -name '*.keras' \) -size -80k -exec cp -t "$corpus/hdf5" {} +

for target in "${targets[@]}"; do
    cargo fuzz run --sanitizer none "$target" "$corpus/$target" -- \
        -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=100000 -print_final_stats=1 -verbosity=0
done
