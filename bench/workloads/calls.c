/* SPDX-License-Identifier: MIT */
/*
 * calls.c - interposed calls, by name and libc's own in turns, in ns. foreign: on memory that
 * is not ours (pair is mmap and munmap of 64 KiB, touched the same with its pages written).
 * huge: on huge memory where no page is split, beside libc's on small: calls foreign|huge
 */
// section: calls
// goals: G12
// cases: foreign huge
// quick: foreign
// contenders: glibc mimalloc libhugetlbfs ours huge:ours
// pool: 8
// memory: 100
// show: mprotect_ns
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
static char *named_at, *direct_at;	/* what each is called on */

static void *look(void *libc, const char *name)
{
	return must(dlsym(libc, name));
}

static void pair(const struct calls *call, char *at)
{
	void *block = must(call->mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK(at && call->munmap(block, BYTES) == 0);
}

static void touched(const struct calls *call, char *at)
{
	char *block = must(call->mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (size_t i = 0; i < BYTES; i += SMALL)
		block[i] = 1;
	CHECK(at && call->munmap(block, BYTES) == 0);
}

static void protect(const struct calls *call, char *at)
{
	CHECK(call->mprotect(at, SMALL, PROT_READ | PROT_WRITE) == 0);
}

static void advise(const struct calls *call, char *at)
{
	CHECK(call->madvise(at, SMALL, MADV_WILLNEED) == 0);
}

static void drop(const struct calls *call, char *at)
{
	CHECK(call->madvise(at, SMALL, MADV_DONTNEED) == 0);
}

static void remap(const struct calls *call, char *at)
{
	CHECK(call->mremap(at, SMALL, SMALL, 0) == at);
}

static void toggle(const struct calls *call, char *at)
{
	CHECK(call->mprotect(at, HUGE, PROT_READ) == 0);
	CHECK(call->mprotect(at, HUGE, PROT_READ | PROT_WRITE) == 0);
}

static double one(void (*work)(const struct calls *, char *), const struct calls *call, char *at)
{
	double from;

	at[0] = 1;
	from = now_us();
	for (int i = 0; i < EACH; i++)
		work(call, at);
	return (now_us() - from) * 1e3 / EACH;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Turn by turn, so that what the machine does besides meets both. */
static void compare(const char *name, void (*work)(const struct calls *, char *))
{
	double named[TURNS], libc[TURNS];
	char said[64];

	for (int turn = 0; turn < TURNS; turn++) {
		named[turn] = one(work, &by_name, named_at);
		libc[turn] = one(work, &direct, direct_at);
	}
	qsort(named, TURNS, sizeof(double), by_value);
	qsort(libc, TURNS, sizeof(double), by_value);
	snprintf(said, sizeof(said), "%s_ns", name);
	metric(said, named[TURNS / 2]);
	snprintf(said, sizeof(said), "%s_direct_ns", name);
	metric(said, libc[TURNS / 2]);
}

static char *map(size_t bytes, int more)
{
	char *at = must(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | more, -1, 0));

	memset(at, 1, bytes);
	return at;
}

static void look_up(void)
{
	void *libc = must(dlopen("libc.so.6", RTLD_NOW));

	*(void **)&direct.mmap = look(libc, "mmap");
	*(void **)&direct.munmap = look(libc, "munmap");
	*(void **)&direct.mprotect = look(libc, "mprotect");
	*(void **)&direct.madvise = look(libc, "madvise");
	*(void **)&direct.mremap = look(libc, "mremap");
}

int main(int argc, char **argv)
{
	const int huge = argc > 1 && strcmp(argv[1], "huge") == 0;

	look_up();
	if (huge) {
		named_at = map(2 * HUGE, 0);
		direct_at = map(3 * HUGE, MAP_NORESERVE);	/* which we leave alone */
		direct_at += -(uintptr_t)direct_at & (HUGE - 1);
		compare("toggle", toggle);
	} else {
		named_at = direct_at = map(BYTES, 0);
		compare("pair", pair);
		compare("touched", touched);
	}
	compare("mprotect", protect);
	compare("willneed", advise);
	compare("dontneed", drop);
	compare("mremap", remap);
	result(TURNS);
	return 0;
}
