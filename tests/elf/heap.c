/* SPDX-License-Identifier: MIT */
/*
 * heap.c - a program whose heap (brk) has begun before any constructor ran
 *
 * Linked by test-heap.sh so that its last segment begins on a huge page's line, and
 * run where the heap begins right behind. What it says is the same with us as without;
 * "where": what lies on huge pages, and where the break is.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef EARLY_BYTES
#define EARLY_BYTES 20000
#endif

/* In the segment that test-heap.sh puts on a line. */
__attribute__((section(".ours,\"aw\",@nobits#"))) static unsigned char ours[70000];
__attribute__((section(".ours,\"aw\",@nobits#"))) static unsigned char *early;

/* Before libc is there: the relocation of chosen() runs this. */
static long raw_brk(long to)
{
#ifdef __x86_64__
	long now;

	__asm__ volatile("syscall" : "=a"(now) : "a"(SYS_brk), "D"(to) : "rcx", "r11", "memory");
	return now;
#else
	register long number __asm__("x8") = SYS_brk;
	register long value __asm__("x0") = to;

	__asm__ volatile("svc #0" : "+r"(value) : "r"(number) : "memory");
	return value;
#endif
}

static int one(void) { return 1; }

static int (*resolve_chosen(void))(void)
{
	volatile unsigned char *at = (unsigned char *)raw_brk(0);

	if (EARLY_BYTES && raw_brk((long)at + EARLY_BYTES) == (long)at + EARLY_BYTES) {
		for (size_t i = 0; i < EARLY_BYTES; i++)
			at[i] = (unsigned char)(i * 7);
		early = (unsigned char *)at;
	}
	return one;
}
int chosen(void) __attribute__((ifunc("resolve_chosen")));

static int is_kept(void)
{
	int kept = !EARLY_BYTES || early;

	for (size_t i = 0; early && i < EARLY_BYTES; i++)
		kept &= early[i] == (unsigned char)(i * 7);
	for (size_t i = 0; i < sizeof(ours); i++)
		kept &= ours[i] == (unsigned char)(i * 3);
	return kept;
}

static int grows(void)
{
	unsigned char *was = sbrk(0), *got = sbrk(300000);
	int good = got == was && sbrk(0) == (void *)(was + 300000);

	for (size_t i = 0; good && i < 300000; i++)
		good &= got[i] == 0;
	if (good)
		memset(got, 5, 300000);
	return good && sbrk(-300000) == (void *)(was + 300000) && sbrk(0) == (void *)was;
}

static int allocates(void)
{
	enum { N = 3000 };
	static char *at[N];
	int good = 1;

	for (int i = 0; i < N; i++)
		if ((at[i] = malloc((size_t)i + 1)))
			memset(at[i], i, (size_t)i + 1);
	for (int i = 0; i < N; i++)
		good &= at[i] && at[i][0] == (char)i && at[i][i] == (char)i;
	for (int i = 0; i < N; i++)
		free(at[i]);
	malloc_trim(0);
	return good && is_kept();
}

/* Into what was there early: done or refused, nothing else. libc's own blocks may be gone. */
static int lowers(void)
{
	char *was = sbrk(0);

	(void)!brk(early + 4096);
	return (sbrk(0) == (void *)was || sbrk(0) == (void *)(early + 4096)) && early[4095] ==
	       (unsigned char)(4095 * 7) && sbrk(100000) != (void *)-1;
}

static void say(const char *who)
{
	printf("%s: %d %d %d %d\n", who, chosen(), is_kept(), grows(), allocates());
}

static void where(void)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	const uintptr_t at[2] = { (uintptr_t)ours, (uintptr_t)early };
	unsigned long lo, hi, kb[2] = { 0 };
	char line[4096];
	int in[2] = { 0 };

	while (f && fgets(line, sizeof(line), f))
		for (int i = 0; i < 2; i++) {
			if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
				in[i] = lo <= at[i] && at[i] < hi;
			if (in[i])
				sscanf(line, "KernelPageSize: %lu", &kb[i]);
		}
	if (f)
		fclose(f);
	printf("ours %s, heap %s, break %#lx\n", kb[0] > 64 ? "huge" : "small",
	       kb[1] > 64 ? "huge" : "small", raw_brk(0));
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	if (argc > 1 && strcmp(argv[1], "where") == 0) {
		where();
		return 0;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < sizeof(ours); i++)
		ours[i] = (unsigned char)(i * 3);
	say("start");
	child = fork();
	if (child == 0) {
		memset(ours, 9, sizeof(ours));
		if (early)
			memset(early, 9, EARLY_BYTES);
		_exit(grows() && !is_kept() ? 0 : 1);
	}
	waitpid(child, &status, 0);
	printf("child %d\n", status);
	say("parent");
	if (EARLY_BYTES)
		printf("lowered %d\n", lowers());
	_exit(0);
}
