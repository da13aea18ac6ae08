/* SPDX-License-Identifier: MIT */
/*
 * prog-arenas.c - the ways in which runtimes get their arenas from the kernel, over
 *                 and over: says a sum of what they held and the most that was huge
 *
 * By trimming what was mapped too large, at both ends; by PROT_NONE first and then
 * mprotect(), or MAP_FIXED, piece by piece; given back by MADV_DONTNEED, MAP_FIXED
 * of PROT_NONE, or munmap() from either end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((size_t)1 << 20)
#define ALIGN (4 * MIB)
#define ARENA (12 * MIB)
#define ROUNDS 60

static uint64_t sum;
static long most_kb;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void *map(void *at, size_t bytes, int prot, int extra)
{
	void *got = mmap(at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | extra, -1, 0);

	need(got != MAP_FAILED && (!extra || got == at), "mmap");
	return got;
}

static void use(char *at, size_t bytes, unsigned with)
{
	for (size_t i = 0; i < bytes; i += 512) {
		need(at[i] == 0, "fresh memory that is not zero");
		at[i] = (char)with;
	}
	for (size_t i = 0; i < bytes; i += 512)
		sum = sum * 31 + (unsigned char)at[i];
}

static void count_huge(void)
{
	char line[256];
	long kb = 0, n;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	while (smaps && fgets(line, sizeof(line), smaps))
		if (sscanf(line, "Private_Hugetlb: %ld", &n) == 1)
			kb += n;
	if (smaps)
		fclose(smaps);
	if (kb > most_kb)
		most_kb = kb;
}

static char *by_trimming(size_t bytes, size_t odd)
{
	char *wide = map(NULL, bytes + ALIGN + odd, PROT_READ | PROT_WRITE, 0);
	char *at = (char *)(((uintptr_t)wide + ALIGN - 1) & ~(ALIGN - 1));
	size_t behind = (size_t)(wide + bytes + ALIGN + odd - (at + bytes));

	if (at > wide)
		need(munmap(wide, (size_t)(at - wide)) == 0, "munmap head");
	need(munmap(at + bytes, behind) == 0, "munmap tail");
	use(at, bytes, 1);
	return at;
}

static char *by_protect(size_t bytes, size_t step)
{
	char *at = map(NULL, bytes, PROT_NONE, 0);

	for (size_t done = 0; done < bytes; done += step) {
		size_t n = bytes - done < step ? bytes - done : step;

		need(mprotect(at + done, n, PROT_READ | PROT_WRITE) == 0, "mprotect");
		use(at + done, n, 2);
	}
	return at;
}

static char *by_fixed(size_t bytes, size_t step)
{
	char *at = map(NULL, bytes, PROT_NONE, 0);

	for (size_t done = 0; done < bytes; done += step) {
		size_t n = bytes - done < step ? bytes - done : step;

		map(at + done, n, PROT_READ | PROT_WRITE, MAP_FIXED);
		use(at + done, n, 3);
	}
	return at;
}

static void give_back(char *at, size_t bytes, int round)
{
	size_t part = bytes / 3 & ~(size_t)4095;

	switch (round % 4) {
	case 0:
		need(madvise(at + part, part, MADV_DONTNEED) == 0, "madvise");
		use(at + part, part, 4);
		break;
	case 1:
		map(at + part, part, PROT_NONE, MAP_FIXED);
		map(at + part, part, PROT_READ | PROT_WRITE, MAP_FIXED);
		use(at + part, part, 5);
		break;
	case 2:
		need(munmap(at, part) == 0, "munmap front");
		at += part;
		bytes -= part;
		break;
	default:
		need(munmap(at + bytes - part, part) == 0, "munmap back");
		bytes -= part;
		break;
	}
	count_huge();
	need(munmap(at, bytes) == 0, "munmap");
}

int main(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		size_t odd = (size_t)(round * 37 % 600) * 4096;

		give_back(by_trimming(ARENA, odd), ARENA, round);
		give_back(by_protect(ARENA + odd, 3 * MIB), ARENA + odd, round);
		give_back(by_fixed(ARENA + odd, 5 * MIB + odd), ARENA + odd, round);
	}
	printf("sum %llx huge %ld\n", (unsigned long long)sum, most_kb);
	return 0;
}
