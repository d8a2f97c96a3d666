#!/bin/sh
# Runs the test programs given, each from the top folder with BUILD in its environment, and shows the output of those that fail, and
# of the others what they could not do on this machine (their lines that begin with "NOT RUN"). As many run at a time as there are
# cores; JOBS=1 in the environment: one by one.
# The last line counts test functions. Exit 1 if a program failed.

# One program: its output goes to a log, its counts (passed, failed, skipped) to a line of $LOGS/counts; what is to be said is said at once.
if [ "$1" = --one ]; then
    program=$2
    log=$LOGS/$(basename "$program")
    begun=$(date +%s%N)
    if "$program" >"$log" 2>&1; then
        verdict=ok
    else
        verdict=FAILED
    fi
    took=$((($(date +%s%N) - begun) / 100000000))
    good=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep '^\[  FAILED  \] [a-z]' "$log" | sort -u | wc -l)
    idle=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | awk '{ sum += $1 } END { print sum + 0 }')
    [ "$verdict" = FAILED ] && [ "$bad" = 0 ] && bad=1
    {
        flock 9
        echo "$good $bad $idle" >>"$LOGS/counts"
        [ "$verdict" = FAILED ] && cat "$log"
        printf '%-40s %s, %d tests%s, %d.%d s\n' "$program" "$verdict" "$((good + bad))" "$([ "$idle" = 0 ] || echo ", $idle skipped")" \
            "$((took / 10))" "$((took % 10))"
        [ "$verdict" = FAILED ] || grep '^NOT RUN' "$log" | awk '!said[$0]++ { print "    " $0 }'
    } 9>"$LOGS/lock"
    exit 0
fi

LOGS=$(mktemp -d "${BUILD:-build}/tests/run.XXXXXX") || exit 1
export LOGS
export OMP_WAIT_POLICY=passive # programs share the cores: a thread that spins while it waits takes the core that it waits for
trap 'rm -rf "$LOGS"' EXIT
trap 'exit 130' INT TERM
printf '%s\n' "$@" | xargs -P "${JOBS:-$(nproc)}" -I{} sh "$0" --one {}
awk -v programs=$# '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        failed += programs - NR # one that was killed with the shell that ran it
        print passed + 0 " passed, " failed " failed" (skipped ? ", " skipped " skipped" : "")
        exit failed > 0
    }' "$LOGS/counts"
