/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the price of an interposed call on memory that isn't ours
 *
 * An mmap and munmap of 4 KiB and of 64 KiB, and an mprotect, each by name and
 * by a raw system call, in turns; prints the best round of both in ns a call.
 * Run plainly it measures libc's own wrappers, under the preload ours.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define CALLS 50000
#define ROUNDS 15

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

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

static double pair_by_name(size_t bytes)
{
	double from = now_ns();

	for (int i = 0; i < CALLS; i++) {
		void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(at, bytes);
	}
	return (now_ns() - from) / CALLS / 2;
}

static double pair_raw(size_t bytes)
{
	double from = now_ns();

	for (int i = 0; i < CALLS; i++) {
		long at = raw(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		raw(SYS_munmap, at, (long)bytes, 0, 0, 0, 0);
	}
	return (now_ns() - from) / CALLS / 2;
}

static void compare(size_t bytes)
{
	double named = 1e18, direct = 1e18, value;

	for (int round = 0; round < ROUNDS; round++) {
		value = pair_by_name(bytes);
		named = value < named ? value : named;
		value = pair_raw(bytes);
		direct = value < direct ? value : direct;
	}
	printf("mmap+munmap of %zu KiB: by name %.1f, raw %.1f, difference %.1f ns a call\n",
	       bytes >> 10, named, direct, named - direct);
}

int main(void)
{
	compare(4 << 10);
	compare(64 << 10);
	return 0;
}
