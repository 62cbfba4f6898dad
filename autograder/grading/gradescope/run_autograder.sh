#!/usr/bin/env bash
# Gradescope runs this as root, once a submission, in a container of its own.
set -euo pipefail

AUTOGRADER=${AUTOGRADER:-/autograder}
CONVLENS=${CONVLENS:-/opt/convlens}

exec env -i PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PYTHONPATH="$AUTOGRADER/source/course" \
    "$CONVLENS/bin/python" -P -B -m autograder.grading.gradescope.run "$AUTOGRADER"
