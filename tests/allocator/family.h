/* SPDX-License-Identifier: MIT */
/* family.h - what the parts of prog-family share */
#ifndef HRESV_TESTS_ALLOCATOR_FAMILY_H
#define HRESV_TESTS_ALLOCATOR_FAMILY_H

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define _GNU_SOURCE

#define CHECK(what)                                                          \
	do {                                                                 \
		if (!(what)) {                                               \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what);   \
			_exit(1);                                            \
		}                                                            \
	} while (0)

/* Sizes the compiler can't see through: it warns of, or drops, calls it can judge. */
static volatile size_t too_much = SIZE_MAX - 4096;
static volatile size_t none;

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static int is_filled(const unsigned char *at, int with, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i] != (unsigned char)with)
			return 0;
	return 1;
}

#endif
