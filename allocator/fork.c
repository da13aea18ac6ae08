/* SPDX-License-Identifier: MIT */
/*
 * fork.c - the library alone needs the fork policy too
 *
 * Before the engine's own constructor, which registers handlers that take its
 * locks: ours must run after them, when no thread can hold one and wait for us.
 */
#include "core/fork.h"

__attribute__((constructor(101))) static void start(void)
{
	fork_start();
}
