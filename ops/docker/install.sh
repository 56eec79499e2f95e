#!/bin/sh
# Install eds-core and the named drivers, at the locked versions, into a virtual
# environment of their own:   ops/docker/install.sh DIRECTORY [DRIVER...]
# The Dockerfile does it with this; without Docker it does the same.
set -eu
place=$1
shift
cd "$(dirname "$0")/../.."

for driver in "$@"; do
    shift
    set -- "$@" "--package=eds-driver-$driver"
done
UV_PROJECT_ENVIRONMENT=$place uv sync --quiet --locked --no-default-groups --no-editable \
    --compile-bytecode --extra=fast --package=eds-core "$@"
"$place/bin/eds" drivers
