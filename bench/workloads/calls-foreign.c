/* SPDX-License-Identifier: MIT */
/*
 * calls-foreign.c - interposed calls on memory that is not ours, beside libc's own in turns:
 * pair is mmap and munmap of 64 KiB, touched the same with its pages written
 */
// section: calls
// cases: -
// quick: -
// contenders: glibc mimalloc libhugetlbfs ours
// pool: 8
// show: pair_ns
#include <dlfcn.h>

#include "bench/workloads/work.h"

enum { TURNS = 301, EACH = 100, BYTES = 64 << 10 };

struct calls {
	void *(*mmap)(void *, size_t, int, int, int, off_t);
	int (*munmap)(void *, size_t), (*mprotect)(void *, size_t, int), (*madvise)(void *, size_t, int);
	void *(*mremap)(void *, size_t, size_t, int, ...);
};

static const struct calls by_name = { mmap, munmap, mprotect, madvise, mremap };
static struct calls direct;
static char *at;

static void *look(void *libc, const char *name)
{
	return must(dlsym(libc, name));
}

static void pair(const struct calls *call)
{
	void *block = must(call->mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK(call->munmap(block, BYTES) == 0);
}

static void touched(const struct calls *call)
{
	char *block = must(call->mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (size_t i = 0; i < BYTES; i += SMALL)
		block[i] = 1;
	CHECK(call->munmap(block, BYTES) == 0);
}

static void protect(const struct calls *call)
{
	CHECK(call->mprotect(at, SMALL, PROT_READ | PROT_WRITE) == 0);
}

static void advise(const struct calls *call)
{
	CHECK(call->madvise(at, SMALL, MADV_WILLNEED) == 0);
}

static void drop(const struct calls *call)
{
	CHECK(call->madvise(at, SMALL, MADV_DONTNEED) == 0);
}

static void remap(const struct calls *call)
{
	CHECK(call->mremap(at, SMALL, SMALL, 0) == at);
}

static double one(void (*work)(const struct calls *), const struct calls *call)
{
	double from = now_us();

	for (int i = 0; i < EACH; i++)
		work(call);
	return (now_us() - from) * 1e3 / EACH;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Turn by turn, so that what the machine does besides meets both. */
static void compare(const char *name, void (*work)(const struct calls *))
{
	double named[TURNS], libc[TURNS];
	char said[64];

	for (int turn = 0; turn < TURNS; turn++) {
		named[turn] = one(work, &by_name);
		libc[turn] = one(work, &direct);
	}
	qsort(named, TURNS, sizeof(double), by_value);
	qsort(libc, TURNS, sizeof(double), by_value);
	snprintf(said, sizeof(said), "%s_ns", name);
	metric(said, named[TURNS / 2]);
	snprintf(said, sizeof(said), "%s_direct_ns", name);
	metric(said, libc[TURNS / 2]);
}

int main(void)
{
	void *libc = must(dlopen("libc.so.6", RTLD_NOW));

	*(void **)&direct.mmap = look(libc, "mmap");
	*(void **)&direct.munmap = look(libc, "munmap");
	*(void **)&direct.mprotect = look(libc, "mprotect");
	*(void **)&direct.madvise = look(libc, "madvise");
	*(void **)&direct.mremap = look(libc, "mremap");
	at = must(mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	compare("pair", pair);
	compare("touched", touched);
	compare("mprotect", protect);
	compare("willneed", advise);
	compare("dontneed", drop);
	compare("mremap", remap);
	result(TURNS);
	return 0;
}
