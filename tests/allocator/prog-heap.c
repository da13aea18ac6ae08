/* SPDX-License-Identifier: MIT */
/*
 * prog-heap.c - takes memory, and says how much of it is huge: prog-heap CASE
 *
 * Prints, for each moment of the case, a line of "moment kB-huge". Every byte
 * handed out is written, so what is not really there kills the program.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 40000
#define MIB ((size_t)1 << 20)

static long huge_kib(void)
{
	char line[256];
	long kib = 0, value;
	FILE *f = fopen("/proc/self/smaps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Private_Hugetlb: %ld", &value) == 1)
			kib += value;
	if (f)
		fclose(f);
	return kib;
}

static void say(const char *moment)
{
	printf("%s %ld\n", moment, huge_kib());
	fflush(stdout);
}

static void *block[MANY];

static void take(int n, size_t bytes)
{
	for (int i = 0; i < n; i++) {
		block[i] = malloc(bytes);
		if (!block[i])
			exit(3);
		memset(block[i], i, bytes);
	}
}

static void check_and_free(int n, size_t bytes)
{
	for (int i = 0; i < n; i++) {
		for (size_t k = 0; k < bytes; k += bytes / 8 + 1)
			if (((unsigned char *)block[i])[k] != (unsigned char)i)
				exit(4);
		free(block[i]);
	}
}

static void small_program(void)
{
	take(3000, 500);
	say("taken");
	check_and_free(3000, 500);
}

static void many_blocks(void)
{
	take(MANY, 1600);
	say("taken");
	check_and_free(MANY, 1600);
	malloc_trim(0);
	say("trimmed");
}

static void one_block(void)
{
	take(1, 61 * MIB);
	say("taken");
	check_and_free(1, 61 * MIB);
	malloc_trim(0);
	say("trimmed");
}

static void *thread_work(void *arg)
{
	char *at = malloc(9 * MIB);

	if (!at)
		exit(3);
	memset(at, 1, 9 * MIB);
	return arg ? at : at;
}

static void threads(void)
{
	pthread_t id[4];
	void *at[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&id[i], NULL, thread_work, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(id[i], &at[i]);
	say("taken");
	for (int i = 0; i < 4; i++)
		free(at[i]);
	malloc_trim(0);
	say("trimmed");
}

/* A small heap that lasts, in each of many threads: little more than a page each. */
static void *small_thread(void *arg)
{
	void *at = malloc(200 << 10);

	memset(at, 1, 200 << 10);
	return arg ? NULL : at;
}

static void small_threads(void)
{
	pthread_t id[64];
	void *at[64];

	take(3000, 1600);
	for (int i = 0; i < 64; i++)
		pthread_create(&id[i], NULL, small_thread, NULL);
	for (int i = 0; i < 64; i++)
		pthread_join(id[i], &at[i]);
	say("taken");
}

static void grown(void)
{
	char *at = NULL;

	for (size_t bytes = MIB / 4; bytes <= 40 * MIB; bytes += MIB / 2) {
		at = realloc(at, bytes);
		if (!at)
			exit(3);
		memset(at + bytes - MIB / 4, 1, MIB / 4);
	}
	say("taken");
	free(at);
	malloc_trim(0);
	say("trimmed");
}

static void fork_child_trims(void)
{
	take(1, 20 * MIB);
	if (fork() == 0) {
		free(block[0]);
		malloc_trim(0);
		_exit(0);
	}
	wait(NULL);
	check_and_free(1, 20 * MIB);
	say("taken");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "small_program", small_program }, { "many_blocks", many_blocks },
		{ "one_block", one_block },	    { "threads", threads },
		{ "small_threads", small_threads }, { "grown", grown },
		{ "fork_child_trims", fork_child_trims },
	};

	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
