/* SPDX-License-Identifier: MIT */
/* memory.c - smaps read, patterns written */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"

enum { STRIDE = 4096 };

static size_t overlap(uintptr_t lo, uintptr_t hi, const void *at, size_t bytes)
{
	uintptr_t from = (uintptr_t)at > lo ? (uintptr_t)at : lo;
	uintptr_t to = (uintptr_t)at + bytes < hi ? (uintptr_t)at + bytes : hi;

	return from < to ? to - from : 0;
}

/* page_bytes 0: any huge page; 1: any page. */
static size_t sum(const void *at, size_t bytes, size_t page_bytes)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long lo = 0, hi = 0, from, to, kib;
	size_t total = 0;
	char line[4096];

	if (!f)
		FAIL("/proc/self/smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		char minus;

		/* "AnonHugePages:" begins with a hexadecimal digit too. */
		if (sscanf(line, "%lx%c%lx ", &from, &minus, &to) == 3 && minus == '-') {
			lo = from;
			hi = to;
			continue;
		}
		if (sscanf(line, "KernelPageSize: %lu kB", &kib) != 1)
			continue;
		if (page_bytes == 1 || (page_bytes == 0 ? kib > 64 : kib * 1024 == page_bytes))
			total += overlap(lo, hi, at, bytes);
	}
	fclose(f);
	return total;
}

size_t huge_in(const void *at, size_t bytes)
{
	return sum(at, bytes, 0);
}

size_t pages_in(const void *at, size_t bytes, size_t page_bytes)
{
	return sum(at, bytes, page_bytes);
}

size_t mapped_in(const void *at, size_t bytes)
{
	return sum(at, bytes, 1);
}

static uint64_t word_of(size_t offset, unsigned seed)
{
	return (offset + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed;
}

void fill_pages(void *at, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i + 8 <= bytes; i += STRIDE)
		*(volatile uint64_t *)((char *)at + i) = word_of(i, seed);
}

bool holds_pages(const void *at, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i + 8 <= bytes; i += STRIDE) {
		uint64_t found = *(const volatile uint64_t *)((const char *)at + i);

		if (found != word_of(i, seed)) {
			fprintf(stderr, "# at %#zx: %#llx is not %#llx\n", i,
				(unsigned long long)found,
				(unsigned long long)word_of(i, seed));
			return false;
		}
	}
	return true;
}

bool is_zero(const void *at, size_t bytes)
{
	const char *c = at;

	return bytes == 0 || (c[0] == 0 && memcmp(c, c + 1, bytes - 1) == 0);
}
