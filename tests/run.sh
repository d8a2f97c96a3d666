#!/bin/sh
# Runs the test programs given, each from the top folder with BUILD in its environment, and shows the output of those that fail, and
# of the others what they could not do on this machine (their lines that begin with "NOT RUN").
# The last line counts test functions. Exit 1 if a program failed.
log=${BUILD:-build}/tests/log
passed=0
failed=0
skipped=0
for program in "$@"; do
    if "$program" >"$log" 2>&1; then
        verdict=ok
    else
        verdict=FAILED
        cat "$log"
    fi
    good=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep '^\[  FAILED  \] [a-z]' "$log" | sort -u | wc -l)
    idle=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | awk '{ sum += $1 } END { print sum + 0 }')
    [ "$verdict" = FAILED ] && [ "$bad" = 0 ] && bad=1
    printf '%-40s %s, %d tests%s\n' "$program" "$verdict" "$((good + bad))" "$([ "$idle" = 0 ] || echo ", $idle skipped")"
    [ "$verdict" = FAILED ] || grep '^NOT RUN' "$log" | awk '!said[$0]++ { print "    " $0 }'
    passed=$((passed + good))
    failed=$((failed + bad))
    skipped=$((skipped + idle))
done
echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ]
