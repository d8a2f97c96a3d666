#!/bin/sh
# Runs the test programs given, each from the top folder with BUILD in its environment, and shows the output of those that fail.
# The last line counts test functions. Exit 1 if a program failed.
log=${BUILD:-build}/tests/log
passed=0
failed=0
for program in "$@"; do
    if "$program" >"$log" 2>&1; then
        verdict=ok
    else
        verdict=FAILED
        cat "$log"
    fi
    good=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [a-z]' "$log")
    [ "$verdict" = FAILED ] && [ "$bad" = 0 ] && bad=1
    printf '%-40s %s, %d tests\n' "$program" "$verdict" "$((good + bad))"
    passed=$((passed + good))
    failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
