#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image. Later runs need no network.
set -euo pipefail

# PyTorch's own builds for machines without a GPU.
TORCH_BUILDS=https://download.pytorch.org/whl/cpu
AUTOGRADER=${AUTOGRADER:-/autograder}
# Outside: every user may read it, and of $AUTOGRADER nothing.
CONVLENS=${CONVLENS:-/opt/convlens}
SOURCE=$AUTOGRADER/source

apt-get update
apt-get install -y --no-install-recommends python3-venv libseccomp2 bubblewrap
PYTHON=python3
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    # Ubuntu 22.04 has Python 3.10 only.
    apt-get install -y --no-install-recommends software-properties-common
    add-apt-repository -y ppa:deadsnakes/ppa
    apt-get install -y --no-install-recommends python3.12 python3.12-venv
    PYTHON=python3.12
fi

"$PYTHON" -m venv "$CONVLENS"
"$CONVLENS/bin/pip" install --no-cache-dir -r "$SOURCE/torch.txt" --index-url "$TORCH_BUILDS"
"$CONVLENS/bin/pip" install --no-cache-dir -r "$SOURCE/requirements.txt"
"$CONVLENS/bin/python" -m compileall -q "$SOURCE/course"

# Solutions, checks and the seed are root's alone.
chown -R root:root "$SOURCE"
chmod -R go= "$SOURCE"
chmod 700 "$AUTOGRADER"
