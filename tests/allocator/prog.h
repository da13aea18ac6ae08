/* SPDX-License-Identifier: MIT */
/* prog.h - what the programs of this directory check with; they know no libhresv */
#ifndef HRESV_TESTS_ALLOCATOR_PROG_H
#define HRESV_TESTS_ALLOCATOR_PROG_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECK(what)                                                          \
	do {                                                                 \
		if (!(what)) {                                               \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what);   \
			_exit(1);                                            \
		}                                                            \
	} while (0)

static inline uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static inline int is_filled(const unsigned char *at, int with, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i] != (unsigned char)with)
			return 0;
	return 1;
}

static inline void run_threads(void *(*work)(void *), int n)
{
	pthread_t id[64];

	for (intptr_t i = 0; i < n; i++)
		CHECK(pthread_create(&id[i], NULL, work, (void *)i) == 0);
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
}

/* What the process has in memory, huge pages counted. */
static inline long resident_kib(void)
{
	char line[256];
	long kib = 0, value;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &value) == 1 ||
		    sscanf(line, "HugetlbPages: %ld", &value) == 1)
			kib += value;
	if (f)
		fclose(f);
	return kib;
}

struct prog_case {
	const char *name;
	void (*run)(void);
};

/* Runs the one that is named, or lists them. */
static inline int run_case(const struct prog_case *cases, size_t n, int argc, char **argv)
{
	for (size_t i = 0; i < n; i++) {
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
		if (argc < 2)
			puts(cases[i].name);
	}
	return argc == 2 ? 2 : 0;
}

#endif
