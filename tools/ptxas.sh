#!/bin/sh
# make ptxas: registers, shared memory and occupancy of kernels on every architecture, as ptxas reports them. Prints a table, puts it
# between the markers of README (empty: nowhere), and fails when a kernel has local memory: spilled registers, or an array whose
# index is not known before it runs.
#
#     tools/ptxas.sh BUILD NVCC COMMIT README kernels/conv2d/01_naive ...
#
# The PTX is taken out of BUILD/NAME.fatbin, where it stands as text, so it is what the program holds. The machine code of sm_86 and sm_89
# comes from that of compute_80, of sm_100 and sm_120 from that of compute_90, as in the program.
set -eu
build=$1 nvcc=$2 commit=$3 readme=$4
shift 4
ptxas=$(dirname "$nvcc")/ptxas
known=$("$nvcc" --list-gpu-code)
log=$build/ptxas.log
: >"$log"

# The module for `.target sm_$2` in the fat binary $1: from .version up to the first line that is no PTX.
ptx_of()
{
    LC_ALL=C tr '\0' '\n' <"$1" | LC_ALL=C awk -v target="sm_$2" '
        /^\.version / { on = 1; text = ""; wanted = known = depth = 0 }
        !on { next }
        /[^\t -~]/ || (ended && !/^([.\/ \t{})]|$)/) { on = ended = 0; next }
        /^\.target / { known = 1; wanted = $2 == target; if (wanted) printf "%s", text }
        wanted { print }
        !known { text = text $0 "\n" }
        { depth += gsub(/{/, "{") - gsub(/}/, "}"); ended = depth == 0 && (ended || /^}/) }'
}

for name in "$@"; do
    for pair in 75:75 80:80 80:86 80:89 90:90 90:100 90:120; do
        ptx=$build/ptxas.ptx sm=sm_${pair#*:}
        case $known in *$sm*) ;; *) continue ;; esac
        ptx_of "$build/$name.fatbin" "${pair%:*}" >"$ptx"
        echo "file $name $sm" >>"$log"
        sed -n 's/^\.visible \.entry \([a-z0-9_]*\)(.*/entry \1/p; s/^\.maxntid \([0-9]*\).*/threads \1/p; /[ \t]cuda_dynamic_shared[;,]/s/.*/dynamic/p' \
            "$ptx" >>"$log"
        "$ptxas" -v -arch=$sm -o /dev/null "$ptx" >>"$log" 2>&1 || { cat "$log"; exit 1; }
    done
done

# Blocks that fit a multiprocessor by warps, registers, shared memory and their number; limits of performance.md 5e.
awk -v nvcc="$("$nvcc" --version | sed -n 's/.*release [0-9.]*, V\([0-9.]*\).*/\1/p')" -v commit="$commit" '
function up(x, step) { return int((x + step - 1) / step) * step }
function least(a, b) { return a < b ? a : b }
function occupancy(sm, threads, registers, shared,    warps, fit, each) {
    warps = up(threads, 32) / 32
    fit = least(int(max_warps[sm] / warps), max_blocks[sm])
    each = up(registers * 32, 256)
    if (each > 0) fit = least(fit, int(int(16384 / each) * 4 / warps))
    each = up(shared + (sm == "sm_75" ? 0 : 1024), sm == "sm_75" ? 256 : 128)
    if (each > 0) fit = least(fit, int(max_shared[sm] * 1024 / each))
    return int(100 * fit * warps / max_warps[sm] + 0.5)
}
BEGIN {
    count = split("sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_120", sms)
    split("32 64 48 48 64 64 48", w); split("16 32 16 24 32 32 24", b); split("64 164 100 100 228 228 100", s)
    for (i = 1; i <= count; i++) { max_warps[sms[i]] = w[i]; max_blocks[sms[i]] = b[i]; max_shared[sms[i]] = s[i] }
}
$1 == "file" { sm = $3; seen[sm] = 1 }
$1 == "entry" { kernel = $2; if (!(kernel in known)) { known[kernel] = 1; order[++kernels] = kernel } }
$1 == "threads" { threads[kernel] = $2 }
$1 == "dynamic" { dynamic[kernel] = "+" }
/Compiling entry function/ { split($0, part, "\047"); at = part[2] }
/bytes stack frame/ {
    if ($1 > 0) { locals++; which = which "\n" at " on " sm ": " $0 }
    if ($1 > most[at]) most[at] = $1
}
/Used [0-9]+ registers/ {
    for (i = 2; i <= NF; i++) {
        if ($i ~ /^registers/) registers[at, sm] = $(i - 1)
        if ($i ~ /^smem/) shared[at] = $(i - 2)
    }
}
END {
    printf "ptxas of nvcc %s, commit %s: registers a thread, and the share of a multiprocessor\047s warps that fit at once.\n", nvcc, commit
    printf "Threads: the most that a block may have. Local: spilled registers and arrays in memory, on the architecture where it is most.\n"
    printf "A + after shared memory: and more, as the launch asks, which the share leaves out. Four registers: empty there, and never launched.\n\n"
    printf "| kernel | threads | shared, bytes | local, bytes |"
    for (i = 1; i <= count; i++) if (sms[i] in seen) printf " %s |", sms[i]
    printf "\n|---|---|---|---|"
    for (i = 1; i <= count; i++) if (sms[i] in seen) printf "---|"
    for (k = 1; k <= kernels; k++) {
        printf "\n| `%s` | %d | %d%s | %d |", order[k], threads[order[k]], shared[order[k]], dynamic[order[k]], most[order[k]]
        for (i = 1; i <= count; i++)
            if (sms[i] in seen)
                printf " %d, %d %% |", registers[order[k], sms[i]], occupancy(sms[i], threads[order[k]], registers[order[k], sms[i]], shared[order[k]])
    }
    printf "\n\n%d kernels; %s.\n", kernels, locals ? locals " times local memory:" which : "no spills and no local memory on any architecture"
    exit locals > 0
}' "$log" >"$build/ptxas.md" && verdict=0 || verdict=1
cat "$build/ptxas.md"

if [ "$verdict" = 0 ] && [ -n "$readme" ] && grep -q '<!-- ptxas -->' "$readme"; then
    awk -v table="$build/ptxas.md" '
        /<!-- ptxas -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
        /<!-- end -->/ { skip = 0 }
        !skip' "$readme" >"$build/README.md" && cat "$build/README.md" >"$readme"
fi
exit "$verdict"
