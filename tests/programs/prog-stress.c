/* SPDX-License-Identifier: MIT */
/*
 * prog-stress.c - malloc as the program finds it, in two threads: blocks of 16 bytes
 *                 to 3 MiB, filled, checked, grown, freed; says a sum and how much
 *                 of its memory was huge
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 300
#define ROUNDS 20000

struct slot {
	unsigned char *at;
	size_t bytes;
	unsigned char with;
};

static void check(const struct slot *s)
{
	for (size_t i = 0; i < s->bytes; i += s->bytes > 64 ? s->bytes / 64 : 1)
		if (s->at[i] != s->with) {
			fprintf(stderr, "block of %zu: byte %zu is %d, not %d\n", s->bytes, i, s->at[i],
				s->with);
			_exit(1);
		}
}

static size_t draw_bytes(unsigned *seed)
{
	switch (rand_r(seed) % 8) {
	case 0:
		return 1 + (size_t)rand_r(seed) % (3 << 20);
	case 1:
	case 2:
		return 1 + (size_t)rand_r(seed) % (200 << 10);
	default:
		return 1 + (size_t)rand_r(seed) % 2000;
	}
}

static void *work(void *arg)
{
	static _Thread_local struct slot slots[SLOTS];
	unsigned seed = (unsigned)(uintptr_t)arg;
	uintptr_t sum = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct slot *s = &slots[(unsigned)rand_r(&seed) % SLOTS];
		size_t bytes = draw_bytes(&seed);

		check(s);
		if (rand_r(&seed) % 4 == 0) {
			free(s->at);
			s->at = NULL;
			s->bytes = 0;
			continue;
		}
		s->at = rand_r(&seed) % 2 ? realloc(s->at, bytes) : (free(s->at), malloc(bytes));
		s->bytes = bytes;
		s->with = (unsigned char)rand_r(&seed);
		memset(s->at, s->with, bytes);
		sum = sum * 31 + s->with + bytes;
	}
	return (void *)sum;
}

static long huge_kb(void)
{
	char line[256];
	long kb = 0, n;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	while (smaps && fgets(line, sizeof(line), smaps))
		if (sscanf(line, "Private_Hugetlb: %ld", &n) == 1 ||
		    sscanf(line, "Shared_Hugetlb: %ld", &n) == 1)
			kb += n;
	return kb;
}

int main(void)
{
	pthread_t other;
	void *a, *b;

	if (pthread_create(&other, NULL, work, (void *)2))
		return 2;
	a = work((void *)1);
	pthread_join(other, &b);
	printf("sum %lx huge %ld\n", (unsigned long)((uintptr_t)a ^ (uintptr_t)b), huge_kb());
	return 0;
}
