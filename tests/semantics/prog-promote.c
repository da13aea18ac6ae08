// SPDX-License-Identifier: MIT
/*
 * Memory that is small for want of pages becomes huge when there are some, under
 * threads that write to it without a break and miss none of their writes.
 *
 * Says "small" when its memory is there and written, waits for a line on standard
 * input (the pool has pages now), and then makes large calls until all but the first
 * and last 2 MiB of its memory are huge. Ends with 1 if a write was lost, 2 if it
 * takes longer than 30 s.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define MIB ((size_t)1 << 20)
#define BYTES (16 * MIB)
#define STRIDE 8192
#define THREADS 2

static char *memory;
static atomic_bool over, lost;

static void *write_on(void *first)
{
	unsigned long turn = 0;

	while (!over && !lost) {
		turn++;
		for (size_t at = *(size_t *)first; at < BYTES; at += STRIDE)
			*(volatile unsigned long *)(memory + at) = turn;
		for (size_t at = *(size_t *)first; at < BYTES; at += STRIDE)
			if (*(volatile unsigned long *)(memory + at) != turn)
				lost = true;
	}
	return NULL;
}

/* How much of it /proc/self/smaps calls huge. */
static size_t huge_bytes(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long lo = 0, hi = 0, kib;
	size_t huge = 0;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		unsigned long a, b;

		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			lo = a;
			hi = b;
		} else if (sscanf(line, "KernelPageSize: %lu kB", &kib) == 1 && kib >= 2048 &&
			   lo >= (unsigned long)memory && hi <= (unsigned long)memory + BYTES) {
			huge += hi - lo;
		}
	}
	if (smaps)
		fclose(smaps);
	return huge;
}

int main(void)
{
	size_t first[THREADS] = { 0, 64 };
	pthread_t thread[THREADS];
	time_t start;

	memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 3;
	memset(memory, 1, BYTES);
	if (huge_bytes() != 0)
		return 4;
	puts("small");
	fflush(stdout);
	if (getchar() == EOF)
		return 5;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, write_on, &first[i]);
	start = time(NULL);
	while (huge_bytes() + 4 * MIB < BYTES && time(NULL) - start < 30 && !lost) {
		void *large = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(large, 4 * MIB);
	}
	over = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return lost ? 1 : huge_bytes() + 4 * MIB < BYTES ? 2 : 0;
}
