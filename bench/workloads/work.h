/* SPDX-License-Identifier: MIT */
/*
 * work.h - what the workloads share: numbers at random, threads, memory, and what is said
 *
 * A workload prints lines `metric NAME VALUE`, and one `result TEXT` that must be the same
 * whoever's memory it ran on; the driver measures the process besides. A NAME that ends in
 * _per_s is better when larger, every other when smaller. A wrong value read back ends the
 * process with status 3, no memory with 2.
 */
#ifndef HRESV_BENCH_WORK_H
#define HRESV_BENCH_WORK_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define HUGE (2 * MIB)
#define SMALL ((size_t)4096)

/* One that has not found what it wrote must not count as fast. */
#define CHECK(true_of_memory)                                                                  \
	do {                                                                                   \
		if (!(true_of_memory)) {                                                       \
			fprintf(stderr, "wrong: %s\n", #true_of_memory);                       \
			_Exit(3);                                                              \
		}                                                                              \
	} while (0)

static inline uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static inline uint64_t seed_of(uintptr_t n)
{
	return 0x9e3779b97f4a7c15u * (n + 1);
}

static inline void *must(void *at)
{
	if (!at || at == MAP_FAILED) {
		fprintf(stderr, "no memory\n");
		_Exit(2);
	}
	return at;
}

static inline double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline void metric(const char *name, double value)
{
	printf("metric %s %.6g\n", name, value);
}

static inline void result(uint64_t value)
{
	printf("result %llu\n", (unsigned long long)value);
}

/* Argument @n as a number, "256m" and "4g" with their units; @otherwise where it is missing. */
static inline size_t number(int argc, char **argv, int n, size_t otherwise)
{
	char *end;
	size_t value;

	if (n >= argc)
		return otherwise;
	value = strtoul(argv[n], &end, 10);
	return *end == 'k' ? value * KIB : *end == 'm' ? value * MIB :
	       *end == 'g' ? value * GIB : value;
}

static inline void run_threads(void *(*work)(void *), size_t n)
{
	pthread_t *id = must(calloc(n, sizeof(*id)));

	for (size_t i = 0; i < n; i++)
		if (pthread_create(&id[i], NULL, work, (void *)(uintptr_t)i) != 0)
			_Exit(2);
	for (size_t i = 0; i < n; i++)
		pthread_join(id[i], NULL);
	free(id);
}

/*
 * A large block: malloc's, or, where the contender is the kernel itself, a mapping of the
 * kind that BENCH_MEMORY names: small, thp, huge, populate (huge, and populated at once).
 */
static inline char *obtain(size_t bytes)
{
	const char *kind = getenv("BENCH_MEMORY");
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *at;

	if (!kind)
		return must(malloc(bytes));
	if (strcmp(kind, "huge") == 0 || strcmp(kind, "populate") == 0)
		flags |= MAP_HUGETLB;
	bytes = (bytes + HUGE - 1) & ~(HUGE - 1);
	at = must(mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE, flags, -1, 0));
	at += -(uintptr_t)at & (HUGE - 1);
	if (strcmp(kind, "small") == 0)
		madvise(at, bytes, MADV_NOHUGEPAGE);
	if (strcmp(kind, "thp") == 0)
		madvise(at, bytes, MADV_HUGEPAGE);
	if (strcmp(kind, "populate") == 0 && madvise(at, bytes, 23 /* MADV_POPULATE_WRITE */) != 0)
		must(NULL);
	return at;
}

static inline void give_back(char *at, size_t bytes)
{
	if (!getenv("BENCH_MEMORY"))
		free(at);
	else
		munmap(at, (bytes + HUGE - 1) & ~(HUGE - 1));
}

#endif
