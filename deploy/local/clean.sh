#!/usr/bin/env bash
# Ends the services started in this repository, then deletes .local/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

for home in .local/services .local/test-services.*; do
    if [ -d "$home" ]; then deploy/local/services down --home "$home"; fi
done
rm -rf .local
