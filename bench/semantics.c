/* SPDX-License-Identifier: MIT */
/*
 * semantics.c - what page-sized calls cost where no page is split: on memory that
 *               isn't ours, on huge memory, and among many ranges
 *
 * Wants a pool of a few dozen pages and the preload; what it has not is left out.
 * (Splits: splits.c.)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE ((size_t)2 << 20)
#define PAGE ((size_t)4096)
#define ROUNDS 12

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static char *map(size_t bytes, int prot)
{
	char *at = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(2);
	return at;
}

/* Aligned like huge memory, and left alone by us. */
static char *small_memory(size_t bytes)
{
	char *at = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		exit(2);
	at += -(uintptr_t)at & (HUGE - 1);
	memset(at, 1, bytes);
	return at;
}

static bool is_huge(const char *at)
{
	unsigned long lo, hi;
	bool inside = false;
	char line[256];
	long kb = 0;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			inside = lo <= (unsigned long)at && (unsigned long)at < hi;
		if (inside && sscanf(line, "KernelPageSize: %ld", &kb) == 1)
			break;
	}
	if (smaps)
		fclose(smaps);
	return kb > 4;
}

/* The same call by name, which is ours, and as libc has it: what a program has without us. */

static int (*libc_mprotect)(void *, size_t, int);
static int (*libc_madvise)(void *, size_t, int);
static int (*libc_munmap)(void *, size_t);
static void *(*libc_mremap)(void *, size_t, size_t, int, ...);

static void *libc_name(const char *name)
{
	static void *libc;
	void *at;

	if (!libc)
		libc = dlopen("libc.so.6", RTLD_NOW);
	at = libc ? dlsym(libc, name) : NULL;
	if (!at)
		exit(2);
	return at;
}

struct call {
	const char *name;
	void (*ours)(char *at);
	void (*libc)(char *at);
};

static void protect(char *at) { mprotect(at, PAGE, PROT_READ | PROT_WRITE); }
static void protect_libc(char *at) { libc_mprotect(at, PAGE, PROT_READ | PROT_WRITE); }
static void advise(char *at) { madvise(at, PAGE, MADV_WILLNEED); }
static void advise_libc(char *at) { libc_madvise(at, PAGE, MADV_WILLNEED); }
static void drop(char *at) { madvise(at, PAGE, MADV_DONTNEED); }
static void drop_libc(char *at) { libc_madvise(at, PAGE, MADV_DONTNEED); }
static void remap(char *at) { if (mremap(at, PAGE, PAGE, 0) != at) exit(2); }
static void remap_libc(char *at) { if (libc_mremap(at, PAGE, PAGE, 0) != at) exit(2); }
static void unmap(char *at) { munmap(at, 0); }
static void unmap_libc(char *at) { libc_munmap(at, 0); }
static void toggle(char *at) { mprotect(at, HUGE, PROT_READ); mprotect(at, HUGE, PROT_READ | PROT_WRITE); }
static void toggle_libc(char *at) { libc_mprotect(at, HUGE, PROT_READ); libc_mprotect(at, HUGE, PROT_READ | PROT_WRITE); }

static const struct call calls[] = {
	{ "mprotect, nothing changes", protect, protect_libc },
	{ "madvise WILLNEED", advise, advise_libc },
	{ "madvise DONTNEED of 4 KiB", drop, drop_libc },
	{ "mremap, nothing changes", remap, remap_libc },
	{ "munmap of nothing", unmap, unmap_libc },
	{ "mprotect of 2 MiB, twice", toggle, toggle_libc },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static double one(void (*call)(char *), char *at, int n)
{
	double from = now_ns();

	for (int i = 0; i < n; i++)
		call(at);
	return (now_ns() - from) / n;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Turn by turn, so that what the machine does besides meets both; medians. */
static void compare(const char *where, char *ours_at, char *libc_at, size_t first, size_t end)
{
	enum { TURNS = 301, EACH = 100 };
	static double ours[TURNS], libc[TURNS], more[TURNS];

	printf("%s, ns a call:\n", where);
	for (size_t i = first; i < end; i++) {
		for (int turn = 0; turn < TURNS; turn++) {
			ours_at[0] = 1;
			ours[turn] = one(calls[i].ours, ours_at, EACH);
			libc_at[0] = 1;
			libc[turn] = one(calls[i].libc, libc_at, EACH);
			more[turn] = ours[turn] - libc[turn];
		}
		qsort(ours, TURNS, sizeof(double), by_size);
		qsort(libc, TURNS, sizeof(double), by_size);
		qsort(more, TURNS, sizeof(double), by_size);
		printf("  %-28s libc's %7.1f  ours %8.1f  more %8.1f\n", calls[i].name,
		       libc[TURNS / 2], ours[TURNS / 2], more[TURNS / 2]);
	}
}

/* Many ranges --------------------------------------------------------------------------- */

static double protect_often(char *at)
{
	return one(protect, at, 2000);
}

static double remap_often(char *at)
{
	return one(remap, at, 2000);
}

/* There is one page in the pool, which is had and given back each time. */
static double map_and_unmap(char *at)
{
	double from = now_ns();

	for (int i = 0; i < 50; i++) {
		at = map(HUGE, PROT_READ | PROT_WRITE);
		munmap(at, HUGE);
	}
	return (now_ns() - from) / 50;
}

static double least_of(double (*measure)(char *), char *at)
{
	double least = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double took = measure(at);

		least = took < least ? took : least;
	}
	return least;
}

/* All but one page of the pool is taken, so that each row finds the same. */
static char *take_pool(void)
{
	char *last = NULL, *at;

	for (;;) {
		at = map(HUGE, PROT_READ | PROT_WRITE);
		if (!is_huge(at))
			return last;
		last = at;
	}
}

/* Every second one of another protection, so that the kernel keeps them apart too. */
static void many_ranges(void)
{
	char *at = map(HUGE, PROT_READ | PROT_WRITE), *spare = take_pool();
	long have = 0, most = 100000;

	printf("among ranges:    mmap+munmap of a huge page   mprotect     mremap, us\n");
	for (long want = 10; want <= most; want *= 10) {
		for (; have < want; have++) {
			char *more = map(HUGE, PROT_READ | PROT_WRITE);

			/* The kernel's limit of mappings is 65530. */
			if (have % 2 && have < 20000)
				mprotect(more, HUGE, PROT_NONE);
		}
		if (spare)
			munmap(spare, HUGE);
		printf("  %8ld        %24.2f  %9.3f  %9.3f\n", want,
		       least_of(map_and_unmap, at) / 1e3, least_of(protect_often, at) / 1e3,
		       least_of(remap_often, at) / 1e3);
		fflush(stdout);
		spare = map(HUGE, PROT_READ | PROT_WRITE);
	}
}

int main(void)
{
	char *foreign = map(64 * PAGE, PROT_READ | PROT_WRITE), *huge, *small;

	libc_mprotect = libc_name("mprotect");
	libc_madvise = libc_name("madvise");
	libc_munmap = libc_name("munmap");
	libc_mremap = libc_name("mremap");
	compare("memory that isn't ours", foreign, foreign, 0, CALLS - 1);
	huge = map(2 * HUGE, PROT_READ | PROT_WRITE);
	small = small_memory(2 * HUGE);
	memset(huge, 1, 2 * HUGE);
	if (is_huge(huge))
		compare("huge memory, no split, against small memory", huge, small, 0, CALLS);
	munmap(huge, 2 * HUGE);
	munmap(small, 2 * HUGE);
	many_ranges();
	return 0;
}
