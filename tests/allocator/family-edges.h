/* SPDX-License-Identifier: MIT */
/* family-edges.h - edge cases of single calls, without threads */
#ifndef HRESV_TESTS_ALLOCATOR_FAMILY_EDGES_H
#define HRESV_TESTS_ALLOCATOR_FAMILY_EDGES_H

#include "tests/allocator/family.h"

static void zero_bytes(void)
{
	void *a = malloc(none), *b = malloc(none);

	CHECK(a && b && a != b);
	free(a);
	free(b);
	a = calloc(none, 8);
	CHECK(a);
	free(a);
	free(NULL);
	CHECK(malloc_usable_size(NULL) == 0);
}

static void overflow(void)
{
	void *block = malloc(100);

	errno = 0;
	CHECK(malloc(too_much) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(calloc(too_much / 2, 4) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(calloc(((size_t)1 << 33) + none, (size_t)1 << 33) == NULL && errno == ENOMEM);
	memset(block, 7, 100);
	errno = 0;
	CHECK(realloc(block, too_much) == NULL && errno == ENOMEM);
	CHECK(is_filled(block, 7, 100));
	errno = 0;
	CHECK(reallocarray(block, too_much / 2, 4) == NULL && errno == ENOMEM);
	CHECK(is_filled(block, 7, 100));
	errno = 0;
	CHECK(memalign(64, too_much) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(pvalloc(too_much + 4000) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(valloc(too_much) == NULL && errno == ENOMEM);
	free(block);
}

static void alignment(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	for (size_t bytes = 1; bytes < (8 << 20); bytes += bytes / 3 + 1) {
		at = malloc(bytes);
		CHECK(at && (uintptr_t)at % (bytes < 16 ? 8 : 16) == 0);
		memset(at, 1, bytes);
		free(at);
		at = valloc(bytes);
		CHECK(at && (uintptr_t)at % page == 0);
		free(at);
		at = pvalloc(bytes);
		CHECK(at && (uintptr_t)at % page == 0 && malloc_usable_size(at) >= page);
		free(at);
		for (size_t align = sizeof(void *); align <= (4 << 20); align *= 2) {
			at = memalign(align, bytes);
			CHECK(at && (uintptr_t)at % align == 0);
			memset(at, 2, bytes);
			free(at);
			at = aligned_alloc(align, bytes);
			CHECK(at && (uintptr_t)at % align == 0);
			free(at);
			CHECK(posix_memalign(&at, align, bytes) == 0 && (uintptr_t)at % align == 0);
			((char *)at)[bytes - 1] = 1;
			free(at);
		}
	}
}

static void bad_alignment(void)
{
	void *kept = &kept, *at = kept;

	errno = 77;
	CHECK(posix_memalign(&at, 3, 100) == EINVAL && at == kept);
	CHECK(posix_memalign(&at, 4, 100) == EINVAL && at == kept);
	CHECK(posix_memalign(&at, none, 100) == EINVAL && at == kept);
	CHECK(posix_memalign(&at, 64, too_much) == ENOMEM && at == kept);
	CHECK(errno == 77);
	at = memalign((size_t)48 + none, 100);	/* glibc rounds up */
	CHECK(at && (uintptr_t)at % 64 == 0);
	free(at);
	errno = 0;
	CHECK(memalign(SIZE_MAX / 2 + 2 + none, 1) == NULL && errno == EINVAL);
}

static void realloc_edges(void)
{
	unsigned char *at = realloc(NULL, 100);

	CHECK(at);
	memset(at, 5, 100);
	errno = 0;
	CHECK(realloc(at, none) == NULL && errno == 0);
	at = reallocarray(NULL, 10, 10);
	CHECK(at);
	free(at);
}

static void errno_is_kept(void)
{
	for (size_t bytes = 8; bytes <= (64 << 20); bytes *= 2) {
		void *at = malloc(bytes);

		CHECK(at);
		memset(at, 1, bytes);
		errno = 1234;
		free(at);
		CHECK(errno == 1234);
	}
}

static void usable(void)
{
	for (size_t bytes = 1; bytes < (32 << 20); bytes += bytes / 2 + 1) {
		unsigned char *at = malloc(bytes);
		size_t has = malloc_usable_size(at);

		CHECK(at && has >= bytes);
		memset(at, 9, has);
		CHECK(is_filled(at, 9, has));
		at = realloc(at, has);
		CHECK(at && is_filled(at, 9, has));
		free(at);
	}
}

static void calloc_is_zero(void)
{
	for (int round = 0; round < 20; round++) {
		for (size_t bytes = 1; bytes < (24 << 20); bytes = bytes * 3 + 1) {
			unsigned char *at = malloc(bytes);

			CHECK(at);
			memset(at, 0xee, bytes);
			free(at);
			at = calloc(1, bytes);
			CHECK(at && is_filled(at, 0, bytes));
			memset(at, 0xdd, bytes);
			free(at);
		}
		malloc_trim(0);
	}
}

static void realloc_keeps(void)
{
	unsigned char *at = NULL;
	size_t had = 0;

	for (size_t bytes = 1; bytes < (200 << 20); bytes += bytes / 5 + 1) {
		at = realloc(at, bytes);
		CHECK(at);
		for (size_t i = 0; i < had; i += had / 1000 + 1)
			CHECK(at[i] == (unsigned char)(i * 7));
		for (size_t i = 0; i < bytes; i++)
			at[i] = (unsigned char)(i * 7);
		had = bytes;
	}
	while (had > 10) {
		at = realloc(at, had /= 3);
		CHECK(at);
		for (size_t i = 0; i < had; i += had / 1000 + 1)
			CHECK(at[i] == (unsigned char)(i * 7));
	}
	free(at);
}

/* Several blocks that grow in turns must not grow into each other. */
static void growing_neighbours(void)
{
	enum { N = 5 };
	unsigned char *at[N] = { NULL };
	size_t had[N] = { 0 };

	for (int step = 0; step < 120; step++) {
		int i = step % N;
		size_t bytes = had[i] + had[i] / 4 + ((size_t)300 << 10);

		if (step > 80 && i == 3)
			bytes = 1000;
		at[i] = realloc(at[i], bytes);
		CHECK(at[i]);
		CHECK(is_filled(at[i], i + 1, had[i] < bytes ? had[i] : bytes));
		memset(at[i], i + 1, bytes);
		had[i] = bytes;
		if (had[i] > (48 << 20)) {
			CHECK(is_filled(at[i], i + 1, had[i]));
			free(at[i]);
			at[i] = NULL;
			had[i] = 0;
		}
	}
	for (int i = 0; i < N; i++) {
		CHECK(is_filled(at[i], i + 1, had[i]));
		free(at[i]);
	}
}

#endif
