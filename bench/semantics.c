/* SPDX-License-Identifier: MIT */
/*
 * semantics.c - what page-sized calls cost: on memory that isn't ours, on huge
 *               memory, where they split a page, and among many ranges
 *
 * Each figure is the best of some rounds. Wants a pool of a few dozen pages; what
 * it has not is left out. Under the preload:
 *	semantics	prints all of it; plainly it prints what the kernel takes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

/* syscall() has a name, and may be ours too. */
static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return nr;
#else
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#endif
}

/* One call each, by name and raw ------------------------------------------------------ */

struct call {
	const char *name;
	long (*named)(char *at);
	long (*raw)(char *at);
};

static long named_protect(char *at) { return mprotect(at, PAGE, PROT_READ | PROT_WRITE); }
static long raw_protect(char *at) { return raw(SYS_mprotect, (long)at, PAGE, PROT_READ | PROT_WRITE, 0, 0, 0); }
static long named_advise(char *at) { return madvise(at, PAGE, MADV_WILLNEED); }
static long raw_advise(char *at) { return raw(SYS_madvise, (long)at, PAGE, MADV_WILLNEED, 0, 0, 0); }
static long named_drop(char *at) { return madvise(at, PAGE, MADV_DONTNEED); }
static long raw_drop(char *at) { return raw(SYS_madvise, (long)at, PAGE, MADV_DONTNEED, 0, 0, 0); }
static long named_remap(char *at) { return mremap(at, PAGE, PAGE, 0) == MAP_FAILED; }
static long raw_remap(char *at) { return raw(SYS_mremap, (long)at, PAGE, PAGE, 0, 0, 0); }
static long named_unmap(char *at) { return munmap(at, 0); }
static long raw_unmap(char *at) { return raw(SYS_munmap, (long)at, 0, 0, 0, 0, 0); }

static const struct call calls[] = {
	{ "mprotect, nothing changes", named_protect, raw_protect },
	{ "madvise WILLNEED", named_advise, raw_advise },
	{ "madvise DONTNEED of 4 KiB", named_drop, raw_drop },
	{ "mremap, nothing changes", named_remap, raw_remap },
	{ "munmap of nothing", named_unmap, raw_unmap },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static double best(long (*call)(char *), char *at, int n)
{
	double least = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double from = now_ns(), took;

		for (int i = 0; i < n; i++)
			call(at);
		took = (now_ns() - from) / n;
		least = took < least ? took : least;
	}
	return least;
}

static void compare(const char *where, char *at, int n)
{
	printf("%s, ns a call:\n", where);
	for (size_t i = 0; i < CALLS; i++) {
		double direct = best(calls[i].raw, at, n), ours;

		at[0] = 1;
		ours = best(calls[i].named, at, n);
		printf("  %-28s raw %7.1f  by name %8.1f  more %8.1f\n", calls[i].name, direct, ours,
		       ours - direct);
	}
}

/* Splits ------------------------------------------------------------------------------ */

static void splits(void)
{
	double least = 1e18, copy = 1e18, cost;
	char *small = map(2 * HUGE, PROT_READ | PROT_WRITE);

	memset(small, 1, 2 * HUGE);
	for (int round = 0; round < ROUNDS * 4; round++) {
		char *at = map(2 * HUGE, PROT_READ | PROT_WRITE);
		double from;

		if (!is_huge(at)) {
			munmap(at, 2 * HUGE);
			printf("no huge pages: no split to measure\n");
			return;
		}
		memset(at, 1, 2 * HUGE);
		from = now_ns();
		mprotect(at + HUGE / 2, PAGE, PROT_READ);
		cost = now_ns() - from;
		least = cost < least ? cost : least;
		from = now_ns();
		memcpy(small, small + HUGE, HUGE);
		cost = now_ns() - from;
		copy = cost < copy ? cost : copy;
		munmap(at, 2 * HUGE);
	}
	printf("mprotect that splits a page of 2 MiB: %.0f us; copying 2 MiB: %.0f us\n", least / 1e3,
	       copy / 1e3);
	munmap(small, 2 * HUGE);
}

/* Many ranges --------------------------------------------------------------------------- */

static double map_and_unmap(char *at)
{
	double from = now_ns();

	for (int i = 0; i < 200; i++) {
		at = map(HUGE, PROT_READ | PROT_WRITE);
		munmap(at, HUGE);
	}
	return (now_ns() - from) / 200;
}

static double shrink_in_place(char *at)
{
	double from = now_ns();

	for (int i = 0; i < 50; i++)
		if (mremap(at, HUGE, HUGE, 0) == MAP_FAILED)
			exit(2);
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

/* Every second one of another protection, so that the kernel keeps them apart too. */
static void many_ranges(void)
{
	char *at = map(HUGE, PROT_READ | PROT_WRITE);
	long have = 0, most = 100000;

	printf("among ranges:    mmap+munmap   mprotect   mremap, us\n");
	for (long want = 10; want <= most; want *= 10) {
		for (; have < want; have++) {
			char *more = map(HUGE, PROT_READ | PROT_WRITE);

			/* The kernel's limit of mappings is 65530. */
			if (have % 2 && have < 50000)
				mprotect(more, HUGE, PROT_NONE);
		}
		printf("  %8ld        %9.2f  %9.3f  %9.3f\n", want,
		       least_of(map_and_unmap, at) / 1e3, best(named_protect, at, 2000) / 1e3,
		       least_of(shrink_in_place, at) / 1e3);
		fflush(stdout);
	}
}

int main(void)
{
	char *foreign = map(64 * PAGE, PROT_READ | PROT_WRITE), *huge;

	compare("memory that isn't ours", foreign, 20000);
	huge = map(2 * HUGE, PROT_READ | PROT_WRITE);
	memset(huge, 1, 2 * HUGE);
	if (is_huge(huge))
		compare("huge memory, no split", huge, 2000);
	splits();
	munmap(huge, 2 * HUGE);
	many_ranges();
	return 0;
}
