/* SPDX-License-Identifier: MIT */
/*
 * arena.h - starts the engine, and gives each thread an arena with our hooks
 */
#ifndef HRESV_ALLOCATOR_ARENA_H
#define HRESV_ALLOCATOR_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* Starts the engine: once, by one thread. False: it will not start. */
bool arena_start(void);

/* Gives the calling thread its arena. The engine is up. */
void arena_bind_thread(void);

/* The program may have bound the calling thread to an arena by mallctl("thread.arena"). */
void arena_follow_program(void);

/* The arena for blocks that grow, at the engine; 0: there is none. */
unsigned arena_for_growth(void);

/* Arenas let go of all they hold free, but for that of blocks that grow. */
void arena_let_go(void);

/* How many arenas were made; their numbers at the engine, 0 to n - 1. */
unsigned arena_count(void);

#endif
