/* SPDX-License-Identifier: MIT */
/*
 * touch.c - a fresh mapping of so many MiB, until it is all there
 *
 * touch WAY MIB ROUNDS: small pages touched (small), transparent huge ones touched (thp),
 * pool pages touched by one thread (huge), populated by one (one) or two threads (two), or what a
 * plain mmap() gives, touched (plain: under the preload). One line a round, in us; what
 * isn't huge at the end is said.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define POPULATE_WRITE 23
#define PAGE ((size_t)2 << 20)

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static size_t half;

static void *populate(void *at)
{
	if (madvise(at, half, POPULATE_WRITE) != 0)
		exit(1);
	return NULL;
}

static void populate_by_two(char *at)
{
	pthread_t other;

	if (pthread_create(&other, NULL, populate, at + half) != 0)
		exit(1);
	populate(at);
	pthread_join(other, NULL);
}

static char *make(const char *way, size_t bytes)
{
	const int huge = strcmp(way, "huge") == 0 || strcmp(way, "one") == 0 || strcmp(way, "two") == 0;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB | MAP_NORESERVE : 0);
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	if (strcmp(way, "thp") == 0)
		madvise(at, bytes, MADV_HUGEPAGE);
	half = strcmp(way, "two") == 0 ? bytes / 2 : bytes;
	if (strcmp(way, "two") == 0)
		populate_by_two(at);
	else if (strcmp(way, "one") == 0)
		populate(at);
	for (size_t i = 0; i < bytes; i += huge || strcmp(way, "plain") == 0 ? PAGE : 4096)
		((volatile char *)at)[i] = 1;
	return at;
}

int main(int argc, char **argv)
{
	const size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) << 20 : 0;

	for (long i = argc > 3 ? strtol(argv[3], NULL, 10) : 0; i > 0; i--) {
		const double began = now_us();
		char *at = make(argv[1], bytes);

		printf("%s %.0f\n", argv[1], now_us() - began);
		munmap(at, bytes);
	}
	return 0;
}
