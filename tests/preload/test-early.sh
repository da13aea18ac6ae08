#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Calls made before our constructor ran wait as long as they were told: see prog-early.c.
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/preload/prog-early

test_waits_before_any_constructor_end_by_their_limit_without_us() { expect_exit 0 "$prog"; }
test_waits_before_any_constructor_end_by_their_limit() { expect_exit 0 preload "$prog"; }

run_tests "$@"
