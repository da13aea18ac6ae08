/* SPDX-License-Identifier: MIT */
/*
 * engine.c - what the engine calls, and what it is told before it starts
 *
 * Its system calls go to the kernel and not to the mmap we export: its records
 * are small and stay small, and take no huge page. The arithmetic and the way up the
 * stack are for its sampling profiler, which is off unless the user's MALLOC_CONF has
 * prof:true: libm, and the unwinder of a gcc that needs a newer libc than we do, stay out.
 *
 * Pitfalls.
 * 1. The engine starts by looking what MADV_DONTNEED does to a page, and writes to that
 *    page without asking whether it got one. Without address space it gets an early block.
 * 2. What can't be unmapped (the process has as many mappings as it may) it would tell
 *    on the program's standard error, and then forget. So it is not told.
 *
 * 3. It has fork handlers registered when it starts, which may be within a fork handler:
 *    before glibc 2.36 these run with the lock that registering takes. And handlers run in
 *    the reverse order, so that those of libraries that came before would find its locks
 *    taken. So they are kept, and called by ours, which are there first (fork.c).
 *
 * The options, with the reasons and the figures behind them: docs/ALLOCATOR.md.
 * The user's MALLOC_CONF comes after ours and wins, but for what our arenas rest
 * on: the engine makes none by itself (arena.c does), and keeps address space.
 */
#include "allocator/engine.h"

#include <errno.h>
#include <execinfo.h>
#include <stdint.h>
#include <sys/mman.h>

#include "allocator/early.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

/* In pages of the engine's: elsewhere these may be of 64 KiB, and large enough. */
#ifdef __x86_64__
#define SLABS ",slab_sizes:16-512:8|1024-1024:4|2048-2048:8"
#else
#define SLABS ""
#endif

const char *je_malloc_conf = "narenas:1,oversize_threshold:0,dirty_decay_ms:30000,"
			     "muzzy_decay_ms:0,zero_realloc:free,lg_tcache_nslots_mul:1,"
			     "tcache_nslots_small_max:200,tcache_nslots_large:4,"
			     "lg_extent_max_active_fit:64" SLABS;
const char *je_malloc_conf_2_conf_harder =
	"narenas:1,percpu_arena:disabled,retain:true,dss:disabled";

void *je_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int je_munmap(void *at, size_t bytes);
int je_madvise(void *at, size_t bytes, int advice);
int je_mprotect(void *at, size_t bytes, int prot);
int je_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
double je_exp(double x);
double je_log(double x);
double je_round(double x);
int je__Unwind_Backtrace(int (*each)(void *, void *), void *arg);
uintptr_t je__Unwind_GetIP(void *context);

/* errno is only set on failure: free() must leave it alone. */
static long result(long value)
{
	if (!sys_failed(value))
		return value;
	errno = (int)-value;
	return -1;
}

/* One page, the same each time: it is asked for again when the start is tried again. */
static void *page_to_try(void)
{
	static void *page;

	if (!page)
		page = early_alloc(mem_page_bytes(), mem_page_bytes(), EARLY_BYTES);
	return page;
}

void *je_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	long got = sys_mmap((uintptr_t)at, bytes, prot, flags, fd, offset);

	if (sys_failed(got) && !at && bytes == mem_page_bytes() && page_to_try())
		return page_to_try();
	return (void *)result(got);
}

int je_munmap(void *at, size_t bytes)
{
	if (!early_owns(at))
		sys_munmap((uintptr_t)at, bytes);
	return 0;
}

int je_madvise(void *at, size_t bytes, int advice)
{
	return (int)result(sys_madvise((uintptr_t)at, bytes, advice));
}

int je_mprotect(void *at, size_t bytes, int prot)
{
	return (int)result(sys_mprotect((uintptr_t)at, bytes, prot));
}

static struct {
	void (*prepare)(void);
	void (*parent)(void);
	void (*child)(void);
} handlers;

int je_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	handlers.parent = parent;
	handlers.child = child;
	__atomic_store_n(&handlers.prepare, prepare, __ATOMIC_RELEASE);
	return 0;
}

bool engine_fork_prepare(void)
{
	/* There was no memory to start it with. */
	if (!__atomic_load_n(&handlers.prepare, __ATOMIC_ACQUIRE))
		return false;
	handlers.prepare();
	return true;
}

void engine_fork_parent(void)
{
	handlers.parent();
}

void engine_fork_child(void)
{
	handlers.child();
}

double je_round(double x)
{
	return (double)(long long)(x + (x < 0 ? -0.5 : 0.5));
}

double je_exp(double x)
{
	double term = 1, sum = 1;

	if (x < 0)
		return 1 / je_exp(-x);
	if (x > 1)
		return je_exp(x / 2) * je_exp(x / 2);
	for (int n = 1; n < 20; n++) {
		term *= x / n;
		sum += term;
	}
	return sum;
}

/* Newton's way to the x of exp(x) = @of. */
double je_log(double of)
{
	double x = 0;

	if (!(of > 0))
		return -__builtin_inf();
	for (int n = 0; n < 200; n++) {
		double e = je_exp(x), step = 2 * (of - e) / (of + e);

		x += step;
		if (step < 1e-15 && step > -1e-15)
			break;
	}
	return x;
}

/* The profiler keeps 127 at most; those from here to it are above them. */
#define FRAMES_MOST 136

/* By libc, which finds an unwinder when it is first asked for. */
int je__Unwind_Backtrace(int (*each)(void *, void *), void *arg)
{
	void *frame[FRAMES_MOST];
	int n = backtrace(frame, FRAMES_MOST), code = 0;

	/* The first is here, where the unwinder would begin with who called it. */
	for (int i = 1; i < n && code == 0; i++)
		code = each(&frame[i], arg);
	return code;
}

uintptr_t je__Unwind_GetIP(void *context)
{
	return *(const uintptr_t *)context;
}
