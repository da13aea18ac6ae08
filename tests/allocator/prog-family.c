/* SPDX-License-Identifier: MIT */
// link: -ldl
/*
 * prog-family.c - the malloc family from the inside: prog-family CASE
 *
 * Knows nothing of libhresv: each case holds for glibc's malloc too. Exits with 0,
 * or says on standard error what was wrong, and exits with 1.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/allocator/prog.h"

/* Sizes the compiler can't see through: it warns of, or drops, calls it can judge. */
static volatile size_t too_much = SIZE_MAX - 4096;
static volatile size_t none;

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

/* Other moments ---------------------------------------------------------------------- */

/* What was freed as blocks of one size serves those of another. */
static void other_sizes(void)
{
	static const size_t sizes[] = { 100, 300, 1000, 200, 3000, 500, 150, 2000 };
	enum { TOTAL = 64 << 20, MOST = TOTAL / 100 };
	static unsigned char *block[MOST];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = TOTAL / sizes[i];

		for (size_t k = 0; k < n; k++) {
			CHECK((block[k] = malloc(sizes[i])) != NULL);
			memset(block[k], 1, sizes[i]);
		}
		CHECK(resident_kib() < 2 * TOTAL / 1024);
		for (size_t k = 0; k < n; k++)
			free(block[k]);
	}
}

static void *from_constructor;

__attribute__((constructor(101))) static void construct(void)
{
	from_constructor = calloc(1, 1000);
}

__attribute__((destructor(101))) static void destruct(void)
{
	void *at = malloc(5000);

	CHECK(from_constructor && is_filled(from_constructor, 0, 1000) && at);
	free(realloc(from_constructor, 100000));
	free(at);
}

static void before_and_after_main(void)
{
	CHECK(from_constructor && is_filled(from_constructor, 0, 1000));
}

static void loading(void)
{
	for (int i = 0; i < 20; i++) {
		void *library = dlopen("libm.so.6", RTLD_NOW);
		double (*f)(double);

		CHECK(library);
		*(void **)(void *)&f = dlsym(library, "cos");
		CHECK(f && f(0.0) == 1.0 && !dlsym(library, "no_such_name"));
		dlclose(library);
	}
}

static volatile int handled;

static void handler(int number)
{
	void *at = malloc(777);

	(void)number;
	CHECK(at);
	free(at);
	handled++;
}

/* A signal between two calls, not inside one: so far glibc's goes as well. */
static void signals(void)
{
	signal(SIGUSR1, handler);
	for (int i = 0; i < 1000; i++) {
		void *at = malloc((size_t)i);

		raise(SIGUSR1);
		free(at);
	}
	CHECK(handled == 1000);
}

/* With hardly any address space left, calls fail as they should and then work again. */
static void short_of_space(void)
{
	struct rlimit limit = { 600 << 20, RLIM_INFINITY };
	void *block[400];
	int n = 0;

	free(malloc(100000));
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	errno = 0;
	CHECK(malloc((size_t)2 << 30) == NULL && errno == ENOMEM);
	while (n < 400 && (block[n] = malloc(4 << 20)) != NULL) {
		memset(block[n], 1, 4 << 20);
		n++;
	}
	CHECK(n > 10 && n < 400 && errno == ENOMEM);
	while (n)
		free(block[--n]);
	malloc_trim(0);
	CHECK((block[0] = malloc(8 << 20)) != NULL);
	memset(block[0], 1, 8 << 20);
	free(block[0]);
}

static void told(void)
{
	struct mallinfo2 before, m;
	char *text = NULL;
	size_t bytes = 0;
	FILE *f;
	void *block[1000];

	before = mallinfo2();
	for (int i = 0; i < 1000; i++)
		memset(block[i] = malloc(40000), 1, 40000);
	m = mallinfo2();
	CHECK(m.uordblks + m.hblkhd >= before.uordblks + before.hblkhd + 40000000);
	CHECK(m.arena + m.hblkhd >= m.uordblks);
	f = open_memstream(&text, &bytes);
	CHECK(malloc_info(0, f) == 0);
	fclose(f);
	CHECK(strncmp(text, "<malloc version=\"1\">", 20) == 0 && strstr(text, "</malloc>"));
	free(text);
	CHECK(malloc_info(1, stderr) == EINVAL);
	malloc_stats();
	for (int i = 0; i < 1000; i++)
		free(block[i]);
	malloc_trim(0);
	m = mallinfo2();
	CHECK(m.uordblks < before.uordblks + 4000000);
	CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
}

int main(int argc, char **argv)
{
	static const struct prog_case cases[] = {
		{ "zero_bytes", zero_bytes },
		{ "overflow", overflow },
		{ "alignment", alignment },
		{ "bad_alignment", bad_alignment },
		{ "realloc_edges", realloc_edges },
		{ "errno_is_kept", errno_is_kept },
		{ "usable", usable },
		{ "calloc_is_zero", calloc_is_zero },
		{ "realloc_keeps", realloc_keeps },
		{ "growing_neighbours", growing_neighbours },
		{ "before_and_after_main", before_and_after_main },
		{ "loading", loading },
		{ "signals", signals },
		{ "short_of_space", short_of_space },
		{ "told", told },
		{ "other_sizes", other_sizes },
	};

	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
